"""A fitted model as it behaves: what it is, what its predict returns."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from _penstock import InvalidArgumentError
from penstock._extras import needed_for
from penstock._predicting import Predicting

if TYPE_CHECKING:
    from penstock._containers import Container

Array: TypeAlias = np.ndarray[Any, Any]

TRIAL_ROWS_MAX = 8


@dataclass(frozen=True)
class Answers:
    """What a model answers with, found by asking it. Immutable.

    Attributes
    ----------
    task
        As the signature names it: "classification", "regression", "clustering",
        "outlier_detection" or "other".
    classes
        The labels in the order of the probabilities; None where there are none.
    classes_type, prediction_type
        "int64", "float64", "string", "bool" ("float32" too for predictions).
    prediction_width
        0: one value a row; k: a list of k values a row.
    prediction_dtype, probabilities_dtype
        NumPy's names of what predict and predict_proba return; the second is None where the model
        has no probabilities.
    not_native
        Why no native form can answer so; None where one may.
    """

    task: str
    classes: Array | None
    classes_type: str
    prediction_type: str
    prediction_width: int
    prediction_dtype: str
    probabilities_dtype: str | None
    not_native: str | None = None

    @property
    def has_probabilities(self) -> bool:
        """Tell whether the model gives a probability for each class."""
        return self.probabilities_dtype is not None


def check_is_model(model: Any) -> None:
    """Refuse what is not a fitted model.

    Raises
    ------
    InvalidArgumentError
        The object has no predict, is a class, or has not been fitted.
    """
    expected = "a fitted model was expected, an object with predict"
    if inspect.isclass(model):
        name = model.__name__
        raise InvalidArgumentError(f"{name} is a class; {expected}: pass {name}().fit(X, y)")
    name = type(model).__name__
    if isinstance(model, str | bytes) or hasattr(model, "__fspath__"):
        raise InvalidArgumentError(
            f"{model!r} is a path or a text; {expected}: open it with joblib.load, or use "
            f"'penstock register {model} ...'"
        )
    if not callable(getattr(model, "predict", None)):
        raise InvalidArgumentError(f"an object of type {name} is not a model; {expected}")
    _check_is_fitted(model)


def _check_is_fitted(model: Any) -> None:
    with needed_for("penstock.register"):
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

    name = type(model).__name__
    if not type(model).__module__.startswith("sklearn."):
        # Others need not keep scikit-learn's conventions; asking them for a prediction tells.
        return
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise InvalidArgumentError(
            f"the {name} is not fitted; a fitted model was expected: call fit(X, y) first"
        ) from None
    except TypeError:
        return


class Asked(NamedTuple):
    """What a model answers, and how long it took for that."""

    predicted: Array
    probabilities: Array | None
    nanoseconds: int


def ask(model: Any, rows: Callable[[], Any]) -> Asked:
    """Return what predict and, where there is one, predict_proba answer, quietly.

    Each gets rows of its own: there are models that change what they are given, such as one with a
    ``StandardScaler(copy=False)``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted, nanoseconds = _timed(model.predict, rows())
        if not hasattr(model, "predict_proba"):
            return Asked(np.asarray(predicted), None, nanoseconds)
        probabilities, more = _timed(model.predict_proba, rows())
    kept = probabilities if isinstance(probabilities, np.ndarray) else None
    return Asked(np.asarray(predicted), kept, nanoseconds + more)


def _timed(call: Callable[[Any], Any], rows: Any) -> tuple[Any, int]:
    start = time.perf_counter_ns()
    answer = call(rows)
    return answer, time.perf_counter_ns() - start


def answers_of(model: Any, container: Container) -> Answers:
    """Ask the model about the first rows of X and return how it answers.

    Raises
    ------
    InvalidArgumentError
        The model refuses these rows, or answers what no service could pass on.
    """
    rows = range(min(TRIAL_ROWS_MAX, container.rows))
    try:
        predicted, probabilities, _ = ask(model, lambda: container.take(rows))
    except Exception as error:
        raise InvalidArgumentError(
            f"{name_of(model)} cannot predict the first rows of X: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if predicted.ndim not in {1, 2} or len(predicted) != len(rows):
        raise InvalidArgumentError(
            f"predict of {name_of(model)} returned an array of shape {predicted.shape} for "
            f"{len(rows)} rows; one answer a row was expected"
        )
    return _describe(model, container, predicted, probabilities)


def name_of(model: Any) -> str:
    """Return what a model is called in a sentence: a predictor before it by its own name."""
    if isinstance(model, Predicting):
        return model.title
    return f"the {type(model).__name__}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without a final full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else "no message"


def _describe(
    model: Any, container: Container, predicted: Array, probabilities: Array | None
) -> Answers:
    width = predicted.shape[1] if predicted.ndim == 2 else 0
    dtype = predicted.dtype.name if predicted.dtype.kind == "O" else _dtype_name(predicted)
    task = _task_of(model)
    prediction_type = _label_type(predicted, model)
    if task == "classification" and width:
        if prediction_type == "string":
            raise InvalidArgumentError(
                f"{name_of(model)} predicts {width} labels a row, as text; several "
                f"labels a row are possible as numbers only: encode the labels before fitting"
            )
        reason = "it predicts several labels a row, and a model for each label would be native"
        return Answers("other", None, "", prediction_type, width, dtype, None, reason)
    classes = _classes_of(model, container, prediction_type, task)
    if classes is None:
        task = task if task != "classification" else "other"
        return Answers(task, None, "", prediction_type, width, dtype, None)
    is_per_class = probabilities is not None and probabilities.shape[1:] == classes.shape
    probabilities_dtype = (
        probabilities.dtype.name if is_per_class and probabilities is not None else None
    )
    label_type = _label_type(classes, model)
    if predicted.dtype.kind == classes.dtype.kind == "U":
        # Of the labels seen here, or of longer ones.
        dtype = np.result_type(predicted.dtype, classes.dtype).str
    return Answers(
        "classification", classes, label_type, prediction_type, 0, dtype, probabilities_dtype
    )


def _dtype_name(predicted: Array) -> str:
    # "<U6" keeps the width, which the name "str192" hides.
    return str(predicted.dtype.str if predicted.dtype.kind in "US" else predicted.dtype.name)


def _task_of(model: Any) -> str:
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

    tasks = {
        "classification": is_classifier,
        "regression": is_regressor,
        "clustering": is_clusterer,
        "outlier_detection": is_outlier_detector,
    }
    for task, is_task in tasks.items():
        try:
            if is_task(model):
                return task
        except (AttributeError, TypeError):
            return "classification" if hasattr(model, "classes_") else "other"
    return "classification" if hasattr(model, "classes_") else "other"


def _label_type(values: Array, model: Any) -> str:
    kind = values.dtype.kind
    if kind == "O":
        types = {type(value) for value in values.flat}
        for name, base in {"bool": bool | np.bool_, "int64": int | np.integer}.items():
            if all(issubclass(t, base) for t in types):
                return name
        if all(issubclass(t, str) for t in types):
            return "string"
        if all(issubclass(t, int | float | np.number) for t in types):
            return "float64"
        told = ", ".join(sorted(t.__name__ for t in types))
        raise InvalidArgumentError(
            f"predict of {name_of(model)} returns objects of type {told}; numbers, text "
            f"or booleans were expected"
        )
    if kind == "f":
        return "float32" if values.dtype.itemsize <= 4 else "float64"
    names = {"b": "bool", "i": "int64", "u": "int64", "U": "string", "T": "string"}
    if kind not in names:
        raise InvalidArgumentError(
            f"predict of {name_of(model)} returns {values.dtype}; numbers, text or "
            f"booleans were expected"
        )
    return names[kind]


def _classes_of(model: Any, container: Container, prediction_type: str, task: str) -> Array | None:
    if task != "classification" and prediction_type in {"int64", "float32", "float64"}:
        return None
    classes = getattr(model, "classes_", None)
    if task == "classification" and isinstance(classes, np.ndarray) and classes.ndim == 1:
        return classes
    if prediction_type == "float32" or (task == "other" and prediction_type == "float64"):
        return None
    if prediction_type == "bool":
        return np.array([False, True])  # one of them may be rare
    # Labels without a list of them: those that the model gives on the rows at hand.
    return np.unique(np.asarray(model.predict(container.take(range(container.rows)))))
