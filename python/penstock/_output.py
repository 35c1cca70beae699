"""What a classifier answers in place of its label: names, probabilities, a threshold, the top k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from _penstock import InvalidArgumentError
from penstock._checks import did_you_mean, quoted

if TYPE_CHECKING:
    from penstock._model import Answers

Array: TypeAlias = np.ndarray[Any, Any]
Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Output:
    """What the service answers for a row. It is data, so that the answer stays native.

    Give one of ``probability``, ``threshold`` and ``top_k``, or ``names`` alone.

    Parameters
    ----------
    probability
        A class: its probability. True: of two classes the second's, of more classes all.
    threshold
        0 to 1: True where the probability of the second of two classes is the threshold or more;
        or of ``probability``, where that is a class. With ``names`` the first of two for below.
    names
        What stands for each class, in the order of the model's ``classes_``; with
        ``probability=True`` the members of an object.
    top_k
        The so many most probable classes, the most probable first.

    Examples
    --------
    >>> v = penstock.register(clf, X, name="churn", output=penstock.Output(probability="yes"))
    >>> v.predict(X.head(2))
    [0.0, 1.0]
    """

    probability: bool | Scalar = None
    threshold: float | None = None
    names: Sequence[Scalar] | None = None
    top_k: int | None = None

    def spec(self, answers: Answers) -> dict[str, Any]:
        """Return the output as the signature has it, for a model that answers so.

        Raises
        ------
        InvalidArgumentError
            It does not fit the model.
        """
        classes = _classes(answers)
        says_none = self.probability is None or self.probability is False
        is_labels = says_none and self.threshold is None and self.top_k is None
        if not is_labels and not answers.has_probabilities:
            raise InvalidArgumentError(
                "output speaks of probabilities, and the model has no predict_proba; give names "
                "alone, or fit a model with probabilities"
            )
        if self.top_k is not None:
            return self._top(classes)
        if self.threshold is not None:
            return self._threshold(classes)
        if is_labels:
            if self.names is None:
                raise InvalidArgumentError(
                    "output says nothing; give probability, threshold, top_k or names"
                )
            return {"kind": "labels", "values": self._names(len(classes))}
        if self.probability is True and (len(classes) != 2 or self.names is not None):
            named = {} if self.names is None else {"values": self._names(len(classes))}
            return {"kind": "probabilities", **named}
        return {"kind": "probability", "class": self._class(classes)}

    def _top(self, classes: list[Scalar]) -> dict[str, Any]:
        if self.threshold is not None or self.probability is not None:
            raise InvalidArgumentError("output has top_k beside another; give one of them")
        if not isinstance(self.top_k, int) or not 1 <= self.top_k <= len(classes):
            raise InvalidArgumentError(
                f"output has top_k {self.top_k!r}; 1 to {len(classes)}, the number of classes, was "
                f"expected"
            )
        values = classes if self.names is None else self._names(len(classes))
        return {"kind": "top_k", "count": self.top_k, "last_of_ties": False, "values": values}

    def _threshold(self, classes: list[Scalar]) -> dict[str, Any]:
        if not 0 <= float(self.threshold or 0) <= 1:
            raise InvalidArgumentError(
                f"output has threshold {self.threshold}; a probability from 0 to 1 was expected"
            )
        return {
            "kind": "threshold",
            "class": self._class(classes),
            "threshold": float(self.threshold or 0),
            "values": [False, True] if self.names is None else self._names(2),
        }

    def _class(self, classes: list[Scalar]) -> int:
        if self.probability is None or self.probability is True:
            if len(classes) != 2:
                raise InvalidArgumentError(
                    f"output does not say of which class; the model has {len(classes)}: give one "
                    f"as probability, of {quoted([str(c) for c in classes])}"
                )
            return 1
        if self.probability not in classes:
            names = [str(c) for c in classes]
            raise InvalidArgumentError(
                f"output has probability {self.probability!r}, which is no class of the model; "
                f"{quoted(names)} are{did_you_mean(str(self.probability), names)}"
            )
        return classes.index(self.probability)

    def _names(self, count: int) -> list[Scalar]:
        names = list(self.names or [])
        if len(names) != count:
            raise InvalidArgumentError(
                f"output has {len(names)} names; {count} were expected, in the order of classes_"
            )
        return names


def _classes(answers: Answers) -> list[Scalar]:
    if answers.classes is None:
        raise InvalidArgumentError("output is for models with classes; this one predicts numbers")
    classes: list[Scalar] = answers.classes.tolist()
    return classes


def applied(spec: dict[str, Any], class_index: Array, probabilities: Array | None) -> list[Any]:
    """Return what the service answers for rows: the engine's arithmetic, in Python.

    Parameters
    ----------
    spec
        As the signature has it.
    class_index
        Of the predicted labels, shape (rows,).
    probabilities
        Shape (rows, classes), where the model has them.
    """
    values = spec.get("values", [])
    if spec["kind"] == "labels":
        return [values[i] for i in class_index.tolist()]
    assert probabilities is not None
    probabilities = probabilities.astype(np.float64)  # in which the engine compares
    if spec["kind"] == "probability":
        return list(probabilities[:, spec["class"]].tolist())
    if spec["kind"] == "threshold":
        above = probabilities[:, spec["class"]] >= spec["threshold"]
        return [values[int(is_above)] for is_above in above]
    if spec["kind"] == "probabilities":
        rows = probabilities.tolist()
        return [dict(zip(values, row, strict=True)) for row in rows] if values else list(rows)
    ranks = np.arange(probabilities.shape[1])
    ties = -ranks if spec["last_of_ties"] else ranks
    order = [np.lexsort((ties, -row))[: spec["count"]] for row in probabilities]
    return [[values[i] for i in row.tolist()] for row in order]
