"""Gradient boosting of scikit-learn for the own evaluator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._export import NotExportableError
from penstock._export.mixed import add_column_transformer
from penstock._export.parts import keeps
from penstock._export.program import Array, Given, Program, Step, check_numbers, settled
from penstock._export.trees import tree_arrays, trees_in_a_row

if TYPE_CHECKING:
    from penstock._export import Subject

CATEGORIES_MAX = 256  # of a split of HistGradientBoosting


def is_gradient_boosting(model: Any) -> bool:
    """Tell whether a model predicts as scikit-learn's GradientBoosting does."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.ensemble._gb import BaseGradientBoosting

    if not keeps(model, BaseGradientBoosting, "_raw_predict", "_raw_predict_init"):
        return False
    answers = ("predict", "predict_proba", "decision_function")
    return keeps(model, GradientBoostingClassifier, *answers) or keeps(
        model, GradientBoostingRegressor, "predict"
    )


def add_gradient_boosting(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the step of a GradientBoosting and return the precision of its answers."""
    _check_init(model)
    trees = [tree.tree_ for stage in model.estimators_ for tree in stage]
    parts = [tree_arrays(tree) for tree in trees]
    for part in parts:
        part["value"] = part["value"][:, 0] * model.learning_rate
    base = np.asarray(model._raw_predict_init(given.X), dtype=np.float64)[0]
    step = _step(program, base, parts)
    step["compares"] = "float32"
    step |= _ending(model, subject)
    step["zero_is_positive"] = True
    program.steps.append(step)
    return "float64"


def _check_init(model: Any) -> None:
    """Refuse an estimator to start from whose answers depend on the row."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    init = model.init_
    if isinstance(init, str) or keeps(init, DummyRegressor, "predict"):
        return
    is_dummy = keeps(init, DummyClassifier, "predict", "predict_proba")
    if not is_dummy or init.strategy in {"stratified", "uniform"}:
        raise NotExportableError(
            f"{type(model).__name__} starts from a {type(init).__name__}, whose answers differ "
            f"from row to row: leave init as it is"
        )


def _step(program: Program, base: Any, parts: list[dict[str, Array]]) -> Step:
    step: Step = {"op": "boosting", "base": program.add(np.asarray(base, dtype=np.float64))}
    return step | trees_in_a_row(program, parts)


def _ending(model: Any, subject: Subject) -> Step:
    """Return how sums become answers, by the loss that the model was fitted for."""
    from sklearn._loss.link import HalfLogitLink, IdentityLink, LogitLink, LogLink, MultinomialLogit

    link = type(model._loss.link)
    if subject.answers.task == "classification":
        if link is MultinomialLogit:
            return {"link": "softmax"}
        if link in {LogitLink, HalfLogitLink}:
            return {"link": "logistic", "slope": 2.0 if link is HalfLogitLink else 1.0}
    elif link in {IdentityLink, LogLink}:
        return {"link": "exp" if link is LogLink else "identity"}
    raise NotExportableError(f"{type(model).__name__} has a loss of its own")


def is_hist_gradient_boosting(model: Any) -> bool:
    """Tell whether a model predicts as scikit-learn's HistGradientBoosting does."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
        BaseHistGradientBoosting,
    )

    shared = ("_raw_predict", "_predict_iterations", "_preprocess_X")
    if not keeps(model, BaseHistGradientBoosting, *shared):
        return False
    return keeps(model, HistGradientBoostingClassifier, "predict", "predict_proba") or keeps(
        model, HistGradientBoostingRegressor, "predict"
    )


def add_hist_gradient_boosting(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the step of a HistGradientBoosting and return the precision of its answers."""
    if model._preprocessor is None:
        check_numbers(model, given)
        settled(program, given)
    else:
        add_column_transformer(program, model._preprocessor, given)
    known, index_of = model._bin_mapper.make_known_categories_bitsets()
    parts = [
        _hist_arrays(predictor, _bits(known), index_of)
        for iteration in model._predictors
        for predictor in iteration
    ]
    flags = np.concatenate([part.pop("category_left") for part in parts])
    begins = np.cumsum([0, *(part["category_count"].sum() for part in parts)])
    for part, begin in zip(parts, begins, strict=False):
        part["category_begin"] += begin
    if not len(flags):
        for part in parts:
            del part["category_begin"], part["category_count"]
    base = np.broadcast_to(np.ravel(model._baseline_prediction), (model.n_trees_per_iteration_,))
    step = _step(program, base, parts) | _ending(model, subject)
    if len(flags):
        step["category_left"] = program.add(flags)
    program.steps.append(step)
    return "float64"


def _bits(words: Array) -> Array:
    """Return [sets, 256] flags for sets of eight words of 32 bits."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")


def _hist_arrays(predictor: Any, known: Array, index_of: Array) -> dict[str, Array]:
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    is_set = nodes["is_categorical"].astype(bool) & ~is_leaf
    feature = np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.int32)
    left_sets = _bits(predictor.raw_left_cat_bitsets) if is_set.any() else None
    flags = []
    for node in np.flatnonzero(is_set):
        missing = nodes["missing_go_to_left"][node]
        others = np.where(known[index_of[feature[node]]], 0, missing)
        left = left_sets[nodes["bitset_idx"][node]] if left_sets is not None else 0
        flags.append(np.append(np.where(left, 1, others), missing).astype(np.uint8))
    count = np.where(is_set, CATEGORIES_MAX + 1, 0).astype(np.int32)
    return {
        "feature": feature,
        "threshold": np.where(is_leaf | is_set, 0.0, nodes["num_threshold"]),
        "left": np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        "right": np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        "missing_left": np.where(is_leaf, 0, nodes["missing_go_to_left"]).astype(np.uint8),
        "value": np.where(is_leaf, nodes["value"], 0.0),
        "category_begin": (np.cumsum(count) - count).astype(np.int64),
        "category_count": count,
        "category_left": np.concatenate([np.empty(0, dtype=np.uint8), *flags]),
    }
