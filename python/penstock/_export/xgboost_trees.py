"""XGBoost's models for the own evaluator. XGBoost itself is never imported."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._columns import is_missing
from penstock._export import NotExportableError
from penstock._export.lightgbm_trees import categories_to_codes
from penstock._export.parts import keeps
from penstock._export.program import Array, Given, Program, Step, check_numbers, settled
from penstock._export.trees import trees_in_a_row

if TYPE_CHECKING:
    from penstock._export import Subject

# How a sum of a regression becomes an answer, by objective.
_REGRESSIONS = {
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:quantileerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:squaredlogerror": "identity",
    "rank:pairwise": "identity",
    "rank:ndcg": "identity",
    "rank:map": "identity",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
}


def is_xgboost(model: Any) -> bool:
    """Tell whether a model predicts as XGBoost's own estimators do."""
    xgboost = sys.modules.get("xgboost")
    if xgboost is None:
        return False
    if keeps(model, xgboost.XGBClassifier, "predict", "predict_proba"):
        return True
    return any(keeps(model, base, "predict") for base in (xgboost.XGBRegressor, xgboost.XGBRanker))


def add_xgboost(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the step of an XGBoost model and return the precision of its answers."""
    learner = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]
    gradient_booster = learner["gradient_booster"]
    if gradient_booster["name"] != "gbtree":
        raise NotExportableError(
            f"{type(model).__name__} was fitted with booster='{gradient_booster['name']}'; "
            f"'gbtree' was expected"
        )
    ending = _ending(model, learner, subject)
    forest = gradient_booster["model"]
    given = _add_categories(program, learner, forest, given)
    check_numbers(model, given)
    given = settled(program, given)
    if not is_missing(model.missing):
        # It is compared in float32: x - 0, rounded.
        zeros = program.add(np.zeros(given.width))
        program.steps.append({"op": "scale", "center": zeros, "scale": None, "dtype": "float32"})
        fills = program.add(np.full(given.width, np.nan))
        program.steps.append(
            {"op": "fill", "values": fills, "marker": float(np.float32(model.missing))}
        )
    base = _base(learner)
    trees = _in_turn(_trees_that_answer(model, forest), len(base))
    flags: list[int] = []
    has_sets = any(tree["categories_nodes"] for tree in trees)
    parts = [_arrays(tree, flags, has_sets=has_sets) for tree in trees]
    step: Step = {"op": "boosting", "dtype": "float32", "compares": "float32"}
    step |= {"base": program.add(base)} | trees_in_a_row(program, parts) | ending
    if has_sets:
        step["category_left"] = program.add(np.array(flags, dtype=np.uint8))
    program.steps.append(step)
    return "float32"


def _ending(model: Any, learner: Any, subject: Subject) -> Step:
    objective = learner["objective"]["name"]
    if subject.answers.task == "classification":
        if objective == "binary:logistic":
            return {"link": "logistic"}
        if objective in {"multi:softprob", "multi:softmax"}:
            return {"link": "softmax"}
    elif objective in _REGRESSIONS:
        return {"link": _REGRESSIONS[objective]}
    raise NotExportableError(
        f"{type(model).__name__} was fitted for the objective '{objective}', which its boosting "
        f"has no link for"
    )


def _base(learner: Any) -> Array:
    """Return where the sums begin: base_score, which is kept as an answer, as a sum again."""
    settings, objective = learner["learner_model_param"], learner["objective"]["name"]
    score = np.atleast_1d(np.array(json.loads(settings["base_score"].lower()), dtype=np.float32))
    if objective == "binary:logistic":
        score = -np.log(np.float32(1) / score - np.float32(1))
    elif _REGRESSIONS.get(objective) == "exp":
        score = np.log(score)
    outputs = max(int(settings["num_class"]), int(settings["num_target"]), 1)
    return np.broadcast_to(score, (outputs,)).astype(np.float64)


def _trees_that_answer(model: Any, forest: Any) -> list[tuple[int, Any]]:
    """Return the trees up to the best iteration, each with the output that it adds to."""
    iterations = forest["iteration_indptr"]
    _, last = model._get_iteration_range(None)
    count = iterations[last] if 0 < last < len(iterations) else iterations[-1]
    return list(zip(forest["tree_info"], forest["trees"], strict=True))[:count]


def _in_turn(trees: list[tuple[int, Any]], outputs: int) -> list[Any]:
    """Return the trees so that each adds to the next output; each output keeps its order."""
    by_output = [[tree for info, tree in trees if info == output] for output in range(outputs)]
    if len({len(each) for each in by_output}) != 1:
        raise NotExportableError("the XGBoost model has more trees for one output than for another")
    return [tree for turn in zip(*by_output, strict=True) for tree in turn]


def _arrays(tree: Any, flags: list[int], *, has_sets: bool) -> dict[str, Array]:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotExportableError(
            "an XGBoost model with multi_strategy='multi_output_tree' has several values a leaf"
        )
    left = np.array(tree["left_children"], dtype=np.int64)
    is_leaf = left < 0
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    # x < condition is x <= the number before it.
    thresholds = np.nextafter(conditions, np.float32(-np.inf))
    arrays: dict[str, Array] = {
        "feature": np.array(tree["split_indices"], dtype=np.int32),
        "threshold": np.where(is_leaf, 0, thresholds).astype(np.float64),
        "left": left,
        "right": np.array(tree["right_children"], dtype=np.int64),
        "missing_left": np.array(tree["default_left"], dtype=np.uint8),
        "value": np.where(is_leaf, conditions, 0).astype(np.float64),
    }
    if has_sets:
        arrays["category_begin"] = np.zeros(len(left), dtype=np.int64)
        arrays["category_count"] = np.zeros(len(left), dtype=np.int32)
        _add_sets(tree, arrays, flags)
    return arrays


def _add_sets(tree: Any, arrays: dict[str, Array], flags: list[int]) -> None:
    """Add the splits by category: those of a node's set go right, all others left."""
    sets = zip(
        tree["categories_nodes"],
        tree["categories_segments"],
        tree["categories_sizes"],
        strict=True,
    )
    for node, begin, size in sets:
        right = set(tree["categories"][begin : begin + size])
        count = max(right, default=-1) + 2
        arrays["category_begin"][node] = len(flags)
        arrays["category_count"][node] = count
        flags.extend(int(category not in right) for category in range(count))


def _add_categories(program: Program, learner: Any, forest: Any, given: Given) -> Given:
    """Turn the categories of a DataFrame into the numbers that XGBoost has for them."""
    encodings = forest.get("cats", {}).get("enc", [])
    if not encodings or not any(encoding["values"] for encoding in encodings):
        if any(kind == "c" for kind in learner["feature_types"]) and hasattr(given.X, "dtypes"):
            raise NotExportableError(
                "the XGBoost model does not hold the categories that it was fitted on"
            )
        return given
    dtypes = list(getattr(given.X, "dtypes", ()))
    if len(dtypes) != len(encodings):
        raise NotExportableError("X is no DataFrame, and the XGBoost model was fitted on one")
    by_column = {
        i: _categories(encoding, getattr(dtype, "categories", ()))
        for i, (encoding, dtype) in enumerate(zip(encodings, dtypes, strict=True))
        if encoding["values"]
    }
    return categories_to_codes(program, given, by_column)


def _categories(encoding: Any, known: Any) -> list[Any]:
    """Return a column's categories in the order of their numbers.

    XGBoost keeps as many bytes of a text as it has letters; what it cut off is in X.
    """
    values, offsets = encoding["values"], encoding.get("offsets")
    if offsets is None:
        return list(values)
    whole = bytes(value % 256 for value in values)
    kept = [whole[a:b] for a, b in zip(offsets, offsets[1:], strict=False)]
    texts = [text for text in known if isinstance(text, str)]
    by_bytes = {text.encode()[: len(text)]: text for text in texts}
    if len(by_bytes) < len(texts) or not all(b.isascii() or b in by_bytes for b in kept):
        raise NotExportableError(
            "XGBoost cut categories off that are not ASCII, and X does not tell which they were"
        )
    return [by_bytes.get(each) or each.decode() for each in kept]
