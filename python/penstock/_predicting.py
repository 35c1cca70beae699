"""A model behind a predictor of the user's own, for workers to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from _penstock import InvalidArgumentError


class Predicting:
    """What predicts as a predictor does: ``predict(X)`` is ``predictor(model, X)``."""

    def __init__(self, model: Any, predictor: Callable[[Any, Any], Any]) -> None:
        self.model = model
        self.predictor = predictor

    @property
    def name(self) -> str:
        """Return the predictor's own name."""
        return str(getattr(self.predictor, "__name__", type(self.predictor).__name__))

    def predict(self, X: Any) -> Any:
        """Return what the predictor makes of the model and the features."""
        return self.predictor(self.model, X)

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
                f"the predictor '{self.name}' returns {what}, and a service passes on a number, a "
                f"text or a boolean for each row, or as many numbers: let it return those, or "
                f"serve the app in Python with model.serve(app)"
            )


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
