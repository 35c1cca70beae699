"""A model behind a predictor of the user's own, for workers to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Predicting:
    """What predicts as a predictor does: ``predict(X)`` is ``predictor(model, X)``."""

    def __init__(self, model: Any, predictor: Callable[[Any, Any], Any]) -> None:
        self.model = model
        self.predictor = predictor

    def predict(self, X: Any) -> Any:
        """Return what the predictor makes of the model and the features."""
        return self.predictor(self.model, X)
