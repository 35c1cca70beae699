"""Forms for the own evaluator: linear models, trees, forests and scalers of scikit-learn.

Each step repeats the estimator's own arithmetic, so an estimator is taken only when the methods
that do this arithmetic are scikit-learn's own, not a subclass's.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from _penstock import own_evaluator
from penstock._checks import quoted
from penstock._export import NotExportableError, Subject, encoding, tensor
from penstock._export.parts import check_keeps_its_answers, keeps

if TYPE_CHECKING:
    from _penstock import Candidate

Array: TypeAlias = np.ndarray[Any, Any]
Step: TypeAlias = dict[str, Any]

FILE = "evaluator.safetensors"
SCIKIT_LEARN = "scikit-learn's"


@dataclass
class _Program:
    """The steps so far and the arrays that they name."""

    steps: list[Step] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)

    def add(self, values: Any) -> str:
        """Keep an array and return its name."""
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.ascontiguousarray(values)
        return name


def own_candidate(subject: Subject) -> Candidate:
    """Return the model's form for the own evaluator.

    Raises
    ------
    NotExportableError
        A part of the model is not one that the evaluator has, or X is not all numbers.
    """
    text = [
        name
        for name, t in zip(subject.container.names, subject.types, strict=True)
        if t == "string"
    ]
    if text:
        raise NotExportableError(
            f"column '{text[0]}' holds text, and it takes numbers alone: encode it before fitting"
        )
    check_keeps_its_answers(subject.model)
    *transformers, final = steps_of(subject.model)
    _check_known(transformers, final)
    program = _Program()
    X = subject.container.take([0])
    for transformer in transformers:
        X = _add_scaler(program, transformer, X)
    precision = _add_final(program, final, X, subject)
    columns = range(len(subject.types))
    return {
        "kind": "own",
        "file": FILE,
        "bytes": own_evaluator(json.dumps(program.steps), program.arrays),
        "precision": precision,
        "encoding_json": encoding([tensor("X", "float64", columns)]),
        "options_json": "{}",
    }


def steps_of(model: Any) -> list[Any]:
    """Return the estimators that answer, in order: pipelines and searches unfolded."""
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline

    if isinstance(model, BaseSearchCV):
        return steps_of(model.best_estimator_)
    if not isinstance(model, Pipeline):
        return [model]
    unfolded = []
    for _, step in model.steps:
        if step is not None and not (isinstance(step, str) and step == "passthrough"):
            unfolded.extend(steps_of(step))
    return unfolded or [model]


def _check_known(transformers: list[Any], final: Any) -> None:
    scalers = _scalers()
    for transformer in transformers:
        if not any(keeps(transformer, base, "transform") for base in scalers):
            raise NotExportableError(
                f"{type(transformer).__name__} is none of its scalers, which are "
                f"{quoted([base.__name__ for base in scalers])}"
            )
    if not any(is_known(final) for is_known, _ in _finals()):
        raise NotExportableError(_unknown(final))


def _unknown(model: Any) -> str:
    kind, base = type(model), _plain_base(model)
    if base is not None and base is not kind:
        return f"{kind.__name__} changes how {base.__name__} predicts: fit a plain {base.__name__}"
    return (
        f"{kind.__name__} is none of its models (linear and logistic regression, trees, random "
        f"forests)"
    )


def _plain_base(model: Any) -> type | None:
    """Return scikit-learn's estimator that a class builds on."""
    estimators = (
        base
        for base in type(model).__mro__
        if base.__module__.startswith("sklearn.") and not inspect.isabstract(base)
    )
    return next((base for base in estimators if "fit" in dir(base)), None)


def _scalers() -> dict[type, Callable[[_Program, Any, Any], None]]:
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    return {
        StandardScaler: _add_standard,
        MinMaxScaler: _add_min_max,
        MaxAbsScaler: _add_max_abs,
        RobustScaler: _add_robust,
    }


def _add_scaler(program: _Program, scaler: Any, X: Any) -> Any:
    """Add a scaler's step and return a row as it leaves the scaler."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaled = scaler.transform(X)
    dtype = np.asarray(scaled).dtype
    _check_float(dtype, scaler)
    add = next(add for base, add in _scalers().items() if isinstance(scaler, base))
    before = len(program.steps)
    add(program, scaler, dtype)
    for step in program.steps[before:]:
        step["dtype"] = dtype.name
    return scaled


def _check_float(dtype: np.dtype[Any], estimator: Any) -> None:
    if dtype not in (np.float64, np.float32):
        raise NotExportableError(
            f"{type(estimator).__name__} works in {dtype} here: fit it on float32 or float64 rows"
        )


def _add_standard(program: _Program, scaler: Any, dtype: Any) -> None:
    center = program.add(scaler.mean_.astype(dtype)) if scaler.with_mean else None
    scale = program.add(scaler.scale_.astype(dtype)) if scaler.with_std else None
    program.steps.append({"op": "scale", "center": center, "scale": scale})


def _add_robust(program: _Program, scaler: Any, dtype: Any) -> None:
    center = program.add(scaler.center_) if scaler.with_centering else None
    scale = program.add(scaler.scale_) if scaler.with_scaling else None
    program.steps.append({"op": "scale", "center": center, "scale": scale})


def _add_max_abs(program: _Program, scaler: Any, dtype: Any) -> None:
    if getattr(scaler, "clip", False):
        raise NotExportableError("MaxAbsScaler clips here, which its step cannot: set clip=False")
    program.steps.append({"op": "scale", "center": None, "scale": program.add(scaler.scale_)})


def _add_min_max(program: _Program, scaler: Any, dtype: Any) -> None:
    step: Step = {
        "op": "affine",
        "scale": program.add(scaler.scale_),
        "offset": program.add(scaler.min_),
    }
    if scaler.clip:
        step["clip"] = [float(np.asarray(bound, dtype=dtype)) for bound in scaler.feature_range]
    program.steps.append(step)


def _finals() -> Iterator[tuple[Callable[[Any], bool], Callable[..., str]]]:
    yield _is_tree_model, _add_forest
    yield _is_linear_regressor, _add_linear_regressor
    yield _is_linear_classifier, _add_linear_classifier


def _add_final(program: _Program, model: Any, X: Any, subject: Subject) -> str:
    """Add the model's step and return the precision of its answers."""
    add = next(add for is_known, add in _finals() if is_known(model))
    return add(program, model, X, subject)


def _is_linear_regressor(model: Any) -> bool:
    from sklearn.linear_model import ARDRegression, BayesianRidge, ElasticNet, SGDRegressor
    from sklearn.linear_model._base import LinearModel, MultiOutputLinearModel

    if keeps(model, SGDRegressor, "predict", "_decision_function"):
        return True
    # These predicts add an option, or a docstring, to LinearModel's.
    predicts = (LinearModel, MultiOutputLinearModel, BayesianRidge, ARDRegression)
    own_decision = any(
        keeps(model, base, "_decision_function") for base in (LinearModel, ElasticNet)
    )
    return own_decision and (
        any(keeps(model, base, "predict") for base in predicts) or _is_ridge(model)
    )


def _is_ridge(model: Any) -> bool:
    from sklearn.linear_model import Ridge, RidgeCV

    return any(keeps(model, base, "predict") for base in (Ridge, RidgeCV))


def _is_linear_classifier(model: Any) -> bool:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
    from sklearn.linear_model._base import LinearClassifierMixin

    decisions = (LinearClassifierMixin, LinearDiscriminantAnalysis)
    if not any(keeps(model, base, "decision_function") for base in decisions):
        return False
    if not any(
        keeps(model, base, "predict")
        for base in (LinearClassifierMixin, RidgeClassifier, RidgeClassifierCV)
    ):
        return False
    return not hasattr(model, "predict_proba") or _link_of(model) is not None


def _link_of(model: Any) -> str | None:
    """Return how decision values become probabilities; None where no step does it."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    is_binary = len(model.classes_) == 2
    if any(
        keeps(model, base, "predict_proba")
        for base in (LogisticRegression, LinearDiscriminantAnalysis)
    ):
        return "logistic" if is_binary else "softmax"
    if keeps(model, SGDClassifier, "predict_proba") and model.loss == "log_loss":
        return "logistic" if is_binary else "one_vs_rest"
    return None


def _add_linear_regressor(program: _Program, model: Any, X: Any, subject: Subject) -> str:
    return _add_linear(program, model, X, "identity")


def _add_linear_classifier(program: _Program, model: Any, X: Any, subject: Subject) -> str:
    link = _link_of(model) if subject.answers.has_probabilities else None
    return _add_linear(program, model, X, link or "identity_decision")


def _add_linear(program: _Program, model: Any, X: Any, link: str) -> str:
    from sklearn.utils import check_array

    if not isinstance(model.coef_, np.ndarray):
        raise NotExportableError(
            f"the coefficients of {type(model).__name__} are sparse: call densify() on it"
        )
    coef = np.atleast_2d(model.coef_)
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=coef.dtype), (len(coef),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = check_array(X, ensure_all_finite=False).dtype
    dtype = np.result_type(given, coef.dtype)
    _check_float(dtype, model)
    program.steps.append(
        {
            "op": "linear",
            "coef": program.add(coef),
            "intercept": program.add(intercept),
            "link": link,
            "dtype": dtype.name,
        }
    )
    return str(dtype.name)


def _is_tree_model(model: Any) -> bool:
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
    return is_forest and all(_is_tree_model(tree) for tree in model.estimators_)


def _add_forest(program: _Program, model: Any, X: Any, subject: Subject) -> str:
    trees = [tree.tree_ for tree in getattr(model, "estimators_", [model])]
    parts = [_tree_arrays(tree) for tree in trees]
    counts = np.array([tree.node_count for tree in trees], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    for part, root in zip(parts, roots, strict=True):
        for side in ("left", "right"):
            part[side] = np.where(part[side] < 0, -1, part[side] + root).astype(np.int32)
    is_classifier = subject.answers.task == "classification"
    step: Step = {"op": "forest", "mode": "classifier" if is_classifier else "regressor"}
    step["roots"] = program.add(roots.astype(np.int32))
    for name in parts[0]:
        step[name] = program.add(np.concatenate([part[name] for part in parts]))
    program.steps.append(step)
    return "float64"


def _tree_arrays(tree: Any) -> dict[str, Array]:
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
