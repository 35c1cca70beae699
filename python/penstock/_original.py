"""The model as the engine calls it: columns in, answers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._model import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from _penstock import Answer, Column
    from penstock._containers import Container
    from penstock._model import Answers


def original_of(
    model: Any, container: Container, answers: Answers
) -> Callable[[list[Column]], Answer]:
    """Return the model as a function of columns.

    Rows reach the model in the container and the dtypes in which the user holds X, in memory of
    their own. What the model raises passes through.
    """

    def original(columns: list[Column]) -> Answer:
        predicted, probabilities, nanoseconds = ask(model, lambda: container.rebuild(columns))
        if predicted.dtype.kind == "b" and answers.classes is None:
            predicted = predicted.astype(np.int64)
        return predicted, probabilities if answers.has_probabilities else None, nanoseconds

    return original
