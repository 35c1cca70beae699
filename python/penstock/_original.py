"""The model as the engine calls it: columns in, answers out."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from _penstock import InvalidArgumentError
from penstock._model import ask, first_line

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


def pickled(model: Any) -> bytes:
    """Return the model as joblib keeps it.

    Raises
    ------
    InvalidArgumentError
        It cannot be pickled; the message is a clause.
    """
    import joblib

    kept = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            joblib.dump(model, kept)
        except Exception as error:
            raise InvalidArgumentError(
                f"it cannot be pickled ({type(error).__name__}: {first_line(error)})"
            ) from error
    return kept.getvalue()
