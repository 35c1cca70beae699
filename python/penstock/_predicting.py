"""A model with functions of the user's own before and behind it, for workers to run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from _penstock import InvalidArgumentError

_log = logging.getLogger("penstock")


@dataclass(frozen=True)
class Around:
    """The user's functions around a model. Immutable.

    Attributes
    ----------
    predictor
        ``(model, features) -> predictions``; None: the model's own ``predict``.
    transformer
        ``(X) -> features``: what the model is given in place of what a caller gives; None where
        that is the same.
    callbacks
        ``(model, features, predictions)``, called behind each answer.
    """

    predictor: Callable[[Any, Any], Any] | None = None
    transformer: Callable[[Any], Any] | None = None
    callbacks: Sequence[Callable[[Any, Any, Any], Any]] = ()

    def fused(self, model: Any) -> Any:
        """Return the model behind its transformer where that is scikit-learn's: a pipeline.

        None where the transformer is a function of the user's, which only Python can run.
        """
        if self.transformer is None:
            return model
        from sklearn.base import BaseEstimator
        from sklearn.pipeline import Pipeline

        owner = getattr(self.transformer, "__self__", None)
        if not isinstance(owner, BaseEstimator) or self.transformer != owner.transform:
            return None
        return Pipeline([("features", owner), ("model", model)])

    def not_native(self, model: Any) -> str | None:
        """Return why only Python can answer so, as a clause; None where a native form may."""
        if self.callbacks:
            names = ", ".join(f"'{name_of(callback)}'" for callback in self.callbacks)
            return f"its predictor has callbacks ({names}), which are Python"
        if self.fused(model) is None:
            return (
                f"its feature_transformer '{name_of(self.transformer)}' is a function of Python (a "
                f"fitted transformer of scikit-learn in its place would be native)"
            )
        return None


def name_of(function: Any) -> str:
    """Return a function's name, or its type's where it has none."""
    return str(getattr(function, "__name__", type(function).__name__))


class Predicting:
    """A model and the functions around it, as one model.

    ``answer(X)`` makes the features once, and gives predictions and, where the model has them and
    no predictor stands before it, probabilities.
    """

    def __init__(self, model: Any, around: Around) -> None:
        self.model = model
        self.around = around

    @property
    def title(self) -> str:
        """Return how messages call it."""
        if self.around.predictor is None:
            return f"the {type(self.model).__name__}"
        return f"the predictor '{name_of(self.around.predictor)}'"

    def predict(self, X: Any) -> Any:
        """Return what the predictor, or the model itself, makes of the features."""
        return self._predict(self._features(X))

    @property
    def predict_proba(self) -> Callable[[Any], Any]:
        """Return the function that gives the model's probabilities.

        Raises
        ------
        AttributeError
            There are none, or a predictor answers.
        """
        if self.around.predictor is not None:
            raise AttributeError("a predictor answers")
        of_model = self.model.predict_proba
        return lambda X: of_model(self._features(X))

    @property
    def classes_(self) -> Any:
        """Return the model's labels; AttributeError where a predictor answers."""
        if self.around.predictor is not None:
            raise AttributeError("a predictor answers")
        return self.model.classes_

    def answer(self, X: Any) -> tuple[Any, Any, Callable[[], None] | None]:
        """Return predictions, probabilities or None, and what is to be called afterwards, if any.

        Parameters
        ----------
        X
            Rows that may be changed.
        """
        features = self._features(X)
        has_probabilities = hasattr(self, "predict_proba")
        # A model may change what it is given, and a callback is to see what the model saw.
        kept = copied(features) if has_probabilities or self.around.callbacks else features
        predictions = self._predict(features)
        probabilities = self.model.predict_proba(copied(kept)) if has_probabilities else None
        if not self.around.callbacks:
            return predictions, probabilities, None
        return predictions, probabilities, lambda: self._call_back(kept, predictions)

    def check(self, answer: Any) -> None:
        """Refuse an answer that a worker could not pass on.

        Raises
        ------
        InvalidArgumentError
            It holds for a row what is neither one value nor numbers.
        """
        what = _other_than_values(answer)
        if what:
            raise InvalidArgumentError(
                f"{self.title} returns {what}, and a service passes on a number, a "
                f"text or a boolean for each row, or as many numbers: let it return those, or "
                f"serve the app in Python with model.serve(app)"
            )

    def _features(self, X: Any) -> Any:
        transformer = self.around.transformer
        return X if transformer is None else transformer(X)

    def _predict(self, features: Any) -> Any:
        predictor = self.around.predictor
        return (
            self.model.predict(features) if predictor is None else predictor(self.model, features)
        )

    def _call_back(self, features: Any, predictions: Any) -> None:
        call_back(self.around.callbacks, self.model, features, predictions)


def call_back(
    callbacks: Sequence[Callable[[Any, Any, Any], Any]],
    model: Any,
    features: Any,
    predictions: Any,
) -> None:
    """Call each callback; what one raises is logged, and touches neither answer nor others."""
    for callback in callbacks:
        try:
            callback(model, features, predictions)
        except Exception:
            _log.exception(
                "the callback '%s' failed; the prediction is not touched by that",
                name_of(callback),
            )


def copied(features: Any) -> Any:
    """Return features of their own for what may change them, where they can be copied."""
    return features.copy() if hasattr(features, "copy") else features


def _other_than_values(answer: Any) -> str:
    """Return what an answer holds beside values, in a few words; empty where it holds nothing."""
    if isinstance(answer, dict | str | bytes) or not hasattr(answer, "__len__"):
        return f"{_a(answer)}, not one answer a row"
    try:
        values = np.asarray(answer)
    except ValueError:  # lists of several lengths
        return "rows of several lengths"
    if values.ndim > 1 and values.dtype.kind not in "biuf":
        plain = values.tolist()
        if not all(isinstance(value, int | float) for row in plain for value in row):
            first = answer[0] if isinstance(answer, list | tuple) else plain[0]
            return f"{_a(first)} of texts or objects for a row"
    others = (dict, list, tuple, set, np.ndarray)
    if values.dtype.kind == "O" and values.ndim == 1:
        other = next((value for value in values.tolist() if isinstance(value, others)), None)
        if other is not None:
            return f"{_a(other)} for a row"
    return ""


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
