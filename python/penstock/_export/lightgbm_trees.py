"""LightGBM's models for the own evaluator. LightGBM itself is never imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._export import NotExportableError
from penstock._export.categories import UNKNOWN, add_look_up, table
from penstock._export.parts import keeps
from penstock._export.program import Array, Given, Program, Step, check_numbers, settled
from penstock._export.trees import trees_in_a_row

if TYPE_CHECKING:
    from penstock._export import Subject

Node = dict[str, Any]

# How a sum of a regression becomes an answer, by objective.
_REGRESSIONS = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "lambdarank": "identity",
    "rank_xendcg": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}


def is_lightgbm(model: Any) -> bool:
    """Tell whether a model predicts as LightGBM's own estimators do."""
    lightgbm = sys.modules.get("lightgbm")
    if lightgbm is None:
        return False
    if keeps(model, lightgbm.LGBMClassifier, "predict", "predict_proba"):
        return True
    return any(
        keeps(model, base, "predict")
        for base in (lightgbm.LGBMRegressor, lightgbm.LGBMRanker, lightgbm.Booster)
    )


def add_lightgbm(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the step of a LightGBM model and return the precision of its answers."""
    booster = getattr(model, "booster_", model)
    dump = booster.dump_model()
    ending = _ending(model, dump, subject)
    given = _add_categories(program, booster, given)
    check_numbers(model, given)
    settled(program, given)
    trees = [_Flat(tree["tree_structure"]) for tree in dump["tree_info"]]
    outputs = int(dump["num_tree_per_iteration"])
    flags = [flag for tree in trees for flag in tree.flags]
    parts, begin = [], 0
    for tree in trees:
        parts.append(tree.arrays(begin, has_sets=bool(flags)))
        begin += len(tree.flags)
    step: Step = {"op": "boosting", "base": program.add(np.zeros(outputs))}
    step |= trees_in_a_row(program, parts) | ending
    if dump["average_output"]:
        step["divisor"] = len(trees) // outputs
    if flags:
        step["category_left"] = program.add(np.array(flags, dtype=np.uint8))
    program.steps.append(step)
    return "float64"


def _ending(model: Any, dump: Node, subject: Subject) -> Step:
    objective, *settings = str(dump.get("objective", "")).split(" ")
    if subject.answers.task == "classification":
        if objective == "binary":
            sigmoid = next(s for s in settings if s.startswith("sigmoid:"))
            return {"link": "logistic", "slope": float(sigmoid.partition(":")[2])}
        if objective == "multiclass":
            return {"link": "softmax"}
    elif objective in _REGRESSIONS and "sqrt" not in settings:
        return {"link": _REGRESSIONS[objective]}
    raise NotExportableError(
        f"{type(model).__name__} was fitted for the objective '{dump.get('objective', 'custom')}', "
        f"which its boosting has no link for"
    )


def _add_categories(program: Program, booster: Any, given: Given) -> Given:
    """Turn the categories of a DataFrame into the numbers that LightGBM has for them."""
    dtypes = getattr(given.X, "dtypes", None)
    categories = booster.pandas_categorical
    if dtypes is None or not hasattr(dtypes, "items") or not categories:
        return given
    places = [i for i, dtype in enumerate(dtypes) if hasattr(dtype, "categories")]
    if len(places) != len(categories):
        raise NotExportableError(
            f"X has {len(places)} columns of categories; the model was fitted on {len(categories)}"
        )
    return categories_to_codes(program, given, dict(zip(places, categories, strict=True)))


def categories_to_codes(program: Program, given: Given, by_column: dict[int, Any]) -> Given:
    """Add a step that puts each category's place in its list in its place; others are missing."""

    def code(index: int) -> float:
        return np.nan if index == UNKNOWN else float(index)

    parts: list[Step] = []
    for i in range(given.width):
        inner = program.branch()
        if i in by_column:
            add_look_up(inner, given, [table(by_column[i], given.texts[i], code)])
        place = program.add(np.array([given.places[i]], dtype=np.int64))
        parts.append({"columns": place, "steps": inner.steps})
    program.steps.append({"op": "columns", "parts": parts})
    texts = tuple(None if i in by_column else given.texts[i] for i in range(given.width))
    return Given(given.X, texts, tuple(range(given.width)), given.names)


class _Flat:
    """A tree of nested nodes, with its nodes in a row."""

    def __init__(self, root: Node) -> None:
        """Lay out the tree below a node."""
        self.rows: list[tuple[int, float, int, int, int, float, int, int]] = []
        self.flags: list[int] = []
        pending: list[tuple[Node, Callable[[int], None]]] = [(root, lambda place: None)]
        self._children: list[list[int]] = []
        while pending:
            node, place_of = pending.pop()
            place_of(len(self.rows))
            children = [-1, -1]
            self._children.append(children)
            if "split_feature" not in node:
                self._add_leaf(node)
                continue
            self._add_split(node)
            for side, name in ((1, "right_child"), (0, "left_child")):

                def keep(place: int, children: list[int] = children, side: int = side) -> None:
                    children[side] = place

                pending.append((node[name], keep))

    def _add_leaf(self, node: Node) -> None:
        if "leaf_coeff" in node:
            raise NotExportableError(
                "a LightGBM model with linear_tree=True has a model in each leaf, which its "
                "boosting has not"
            )
        self.rows.append((0, 0.0, 0, 0, 0, float(node["leaf_value"]), 0, 0))

    def _add_split(self, node: Node) -> None:
        missing, feature = node["missing_type"], int(node["split_feature"])
        if node["decision_type"] == "==":
            chosen = [int(each) for each in str(node["threshold"]).split("||")]
            count = max(chosen) + 2
            begin = len(self.flags)
            self.flags += [int(i in set(chosen)) for i in range(count)]
            self.rows.append((feature, 0.0, 0, 0, 0, 0.0, begin, count))
            return
        if missing == "Zero":
            raise NotExportableError(
                "a LightGBM model with zero_as_missing=True takes 0 for missing, which its "
                "boosting does not"
            )
        threshold = float(node["threshold"])
        # Where no value was missing when it was fitted, NaN counts as 0.
        missing_left = bool(node["default_left"]) if missing == "NaN" else threshold >= 0
        self.rows.append((feature, threshold, 0, 0, int(missing_left), 0.0, 0, 0))

    def arrays(self, begin: int, *, has_sets: bool) -> dict[str, Array]:
        """Return the nodes; the tree's flags are those from `begin` on."""
        columns = list(zip(*self.rows, strict=True))
        children = np.array(self._children, dtype=np.int64)
        arrays: dict[str, Array] = {
            "feature": np.array(columns[0], dtype=np.int32),
            "threshold": np.array(columns[1], dtype=np.float64),
            "left": children[:, 0],
            "right": children[:, 1],
            "missing_left": np.array(columns[4], dtype=np.uint8),
            "value": np.array(columns[5], dtype=np.float64),
        }
        if has_sets:
            arrays["category_begin"] = np.array(columns[6], dtype=np.int64) + begin
            arrays["category_count"] = np.array(columns[7], dtype=np.int32)
        return arrays
