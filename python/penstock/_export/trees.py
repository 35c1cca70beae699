"""Trees and forests of scikit-learn for the own evaluator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._export.parts import keeps
from penstock._export.program import Array, Given, Program, Step

if TYPE_CHECKING:
    from penstock._export import Subject


def is_tree_model(model: Any) -> bool:
    """Tell whether a model predicts as scikit-learn's trees and forests of them do."""
    from sklearn.ensemble._forest import BaseForest, ForestClassifier, ForestRegressor
    from sklearn.tree import BaseDecisionTree, DecisionTreeClassifier

    if keeps(model, BaseDecisionTree, "predict", "_validate_X_predict"):
        has_proba = hasattr(model, "predict_proba")
        return not has_proba or keeps(model, DecisionTreeClassifier, "predict_proba")
    if not keeps(model, BaseForest, "_validate_X_predict"):
        return False
    is_forest = keeps(model, ForestRegressor, "predict") or keeps(
        model, ForestClassifier, "predict", "predict_proba"
    )
    return is_forest and all(is_tree_model(tree) for tree in model.estimators_)


def add_forest(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the step of a tree or a forest and return the precision of its answers."""
    trees = [tree.tree_ for tree in getattr(model, "estimators_", [model])]
    is_classifier = subject.answers.task == "classification"
    step: Step = {"op": "forest", "mode": "classifier" if is_classifier else "regressor"}
    program.steps.append(step | trees_in_a_row(program, [tree_arrays(tree) for tree in trees]))
    return "float64"


def trees_in_a_row(program: Program, parts: list[dict[str, Array]]) -> Step:
    """Return the members of a step for trees whose children are numbered from 0 in each."""
    counts = np.array([len(part["feature"]) for part in parts], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    step: Step = {"roots": program.add(roots.astype(np.int32))}
    for name in parts[0]:
        arrays = [part[name] for part in parts]
        if name in {"left", "right"}:
            moved = zip(arrays, roots, strict=True)
            arrays = [np.where(a < 0, -1, a + root).astype(np.int32) for a, root in moved]
        step[name] = program.add(np.concatenate(arrays))
    return step


def tree_arrays(tree: Any) -> dict[str, Array]:
    """Return the nodes of one of scikit-learn's trees."""
    nodes = tree.__getstate__()["nodes"]
    is_leaf = nodes["left_child"] < 0
    # A regressor with several targets keeps [nodes, outputs, 1], all others [nodes, 1, outputs].
    value = tree.value[:, :, 0] if tree.value.shape[1] > 1 else tree.value[:, 0, :]
    return {
        "feature": np.where(is_leaf, 0, nodes["feature"]).astype(np.int32),
        "threshold": np.where(is_leaf, 0.0, nodes["threshold"]).astype(np.float64),
        "left": nodes["left_child"].astype(np.int64),
        "right": nodes["right_child"].astype(np.int64),
        "missing_left": nodes["missing_go_to_left"].astype(np.uint8),
        "value": value.astype(np.float64),
    }
