"""Matching a predictor that the user wrote to an output that the engine has.

A predictor is called with a stand-in in place of the model, which returns designed labels and
probabilities. What comes out of it tells which of the outputs it computes, if it is one of them:
then the service needs no Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from penstock._model import first_line
from penstock._output import applied

if TYPE_CHECKING:
    from penstock._containers import Container
    from penstock._model import Answers

Array: TypeAlias = np.ndarray[Any, Any]
Predictor: TypeAlias = Callable[[Any, Any], Any]

DESIGN_ROWS_MIN = 96
DESIGN_ROWS_A_CLASS = 16  # so that each class stands among the top of some row
GRID = 257  # probabilities at which a threshold is looked for at a time
SEED = 20


# Numbers that no predictor but one that passes them on returns as they are.
FLOATS = (-1e30, -1.5, -1.0, -0.0, 0.0, 0.25, 0.5, 1.0, 1.5, 99.999, 1e9, 1e30)
INTEGERS = (-100, -1, 0, 1, 2, 100)


class _Features:
    """What stands for the features: a predictor that looks at them fails."""


class _NumbersStandIn:
    """Makes stand-ins whose predict returns designed numbers."""

    @staticmethod
    def of(model: Any, numbers: Array) -> Any:
        """Return a stand-in of the model's class."""

        def predict(self: Any, X: Any) -> Array:
            del self
            if not isinstance(X, _Features):
                raise NotMatchedError("it changes the features before the model gets them")
            return numbers.copy()

        return _made(model, {"predict": predict})


def _made(model: Any, methods: dict[str, Any]) -> Any:
    """Return an object of the model's own class, for predictors that look at it."""
    try:
        kind = type(type(model).__name__, (type(model),), methods)
        stand_in: Any = object.__new__(kind)
        stand_in.__dict__.update(vars(model))
    except TypeError as error:
        raise NotMatchedError(f"a {type(model).__name__} has no stand-in: {error}") from error
    return stand_in


class NotMatchedError(Exception):
    """The predictor is none of the outputs; the message is a clause that says why."""


@dataclass(frozen=True)
class Match:
    """What a predictor does.

    Attributes
    ----------
    spec
        The output, as the signature has it; None where it returns the model's own labels.
    kind
        In what it returns the answers: "list" or "ndarray".
    """

    spec: dict[str, Any] | None
    kind: str


class _Design:
    """Designed answers of a model for a number of rows, and who asked for them."""

    def __init__(self, model: Any, index: Array, probabilities: Array | None, answers: Answers):
        assert answers.classes is not None
        self.index = index
        self.probabilities = probabilities
        self.labels = answers.classes[index]
        self.asked: list[tuple[str, Any]] = []
        self.stand_in = self._stand_in(model)

    def _stand_in(self, model: Any) -> Any:
        design = self

        def predict(self: Any, X: Any, *args: Any, **kwargs: Any) -> Array:
            del self
            design.asked.append(("predict", X))
            if args or kwargs:
                raise NotMatchedError("it gives predict more than the features")
            return design.labels.copy()

        def predict_proba(self: Any, X: Any, *args: Any, **kwargs: Any) -> Array:
            del self
            design.asked.append(("predict_proba", X))
            if args or kwargs or design.probabilities is None:
                raise NotMatchedError("it gives predict_proba more than the features")
            return design.probabilities.copy()

        def other(self: Any, *args: Any, **kwargs: Any) -> Any:
            raise NotMatchedError("it calls more of the model than predict and predict_proba")

        made = {"predict": predict}
        if self.probabilities is not None:
            made["predict_proba"] = predict_proba
        for name in ("decision_function", "predict_log_proba", "transform", "score", "__call__"):
            if hasattr(type(model), name):
                made[name] = other
        return _made(model, made)


def match(predictor: Predictor, model: Any, container: Container, answers: Answers) -> Match:
    """Return what a predictor does, held against the model itself on every row.

    Parameters
    ----------
    predictor
        ``(model, X) -> predictions``, one a row.
    model
        The fitted model.
    container
        The rows at hand.
    answers
        How the model answers.

    Raises
    ------
    NotMatchedError
        It is none of the outputs.
    """
    if answers.classes is None:
        return _match_plain(predictor, model, container)
    matcher = _Matcher(predictor, model, container, answers)
    spec = matcher.find()
    return Match(spec, _check_on_rows(predictor, model, container, answers, spec))


def _match_plain(predictor: Predictor, model: Any, container: Container) -> Match:
    """Return the match of a predictor that passes numbers on as the model gives them."""
    dtype = np.asarray(model.predict(container.take([0]))).dtype
    if dtype.kind not in "fiu":
        raise NotMatchedError("the model has no numbers or classes to tell it by")
    is_float = dtype.kind == "f"
    designed = np.array([*(FLOATS if is_float else INTEGERS)]).astype(dtype)
    for numbers in (designed, designed[:1], designed[-1:]):
        stand_in = _NumbersStandIn.of(model, numbers)
        passed, _ = _listed(_called(predictor, stand_in, _Features()), len(numbers))
        if not _equal(passed, numbers.tolist()):
            raise NotMatchedError("it returns other numbers than the model's predict")
    rows = range(container.rows)
    given, kind = _listed(_called(predictor, model, container.take(rows)), container.rows)
    expected = np.asarray(model.predict(container.take(rows))).tolist()
    if not _equal(given, expected):
        raise NotMatchedError("it returns other numbers than the model's predict")
    return Match(None, kind)


def _check_on_rows(
    predictor: Predictor,
    model: Any,
    container: Container,
    answers: Answers,
    spec: dict[str, Any] | None,
) -> str:
    """Hold the output against the predictor with the real model on all rows; return its kind."""
    rows = range(container.rows)
    given, kind = _listed(_called(predictor, model, container.take(rows)), container.rows)
    index = _index_of(model.predict(container.take(rows)), answers)
    probabilities = None
    if answers.has_probabilities:
        probabilities = np.asarray(model.predict_proba(container.take(rows)))
    assert answers.classes is not None
    expected = (
        answers.classes[index].tolist() if spec is None else applied(spec, index, probabilities)
    )
    if not _equal(given, expected):
        different = next(i for i in rows if not _equal(given[i : i + 1], expected[i : i + 1]))
        raise NotMatchedError(
            f"for row {different} it returns {given[different]!r}, and the output that it looks "
            f"like {expected[different]!r}"
        )
    return kind


def _index_of(labels: Any, answers: Answers) -> Array:
    places = {label: i for i, label in enumerate(np.asarray(answers.classes).tolist())}
    return np.array([places[label] for label in np.asarray(labels).tolist()])


class _Matcher:
    def __init__(
        self, predictor: Predictor, model: Any, container: Container, answers: Answers
    ) -> None:
        assert answers.classes is not None
        self._predictor = predictor
        self._model = model
        self._container = container
        self._answers = answers
        self._classes = answers.classes.tolist()
        self._random = np.random.default_rng(SEED)
        self._rows = max(DESIGN_ROWS_MIN, DESIGN_ROWS_A_CLASS * len(self._classes))

    def find(self) -> dict[str, Any] | None:
        """Return the output that the predictor is; None for the labels themselves."""
        design, given = self._ask(self._index(self._rows), self._spread(self._rows))
        methods = sorted(name for name, _ in design.asked)
        if not methods:
            raise NotMatchedError("it does not ask the model")
        if len(set(methods)) != len(methods):
            raise NotMatchedError(f"it calls {methods[0]} more than once")
        if methods == ["predict"]:
            return self._labels(design, given)
        if methods != ["predict_proba"]:
            raise NotMatchedError("it combines labels and probabilities")
        for guess in (self._probabilities, self._probability, self._top, self._threshold):
            spec = guess(design, given)
            if spec is not None:
                self._confirm(spec)
                return spec
        raise NotMatchedError("what it makes of the probabilities is none of the outputs")

    # The guesses, each of one design; None where it is another.

    def _labels(self, design: _Design, given: list[Any]) -> dict[str, Any] | None:
        values: list[Any] = [None] * len(self._classes)
        for index, value in zip(design.index.tolist(), given, strict=True):
            if not _is_scalar(value):
                raise NotMatchedError("it returns no scalar for a label")
            values[index] = value
        if not _equal(given, [values[i] for i in design.index.tolist()]):
            raise NotMatchedError("it returns several values for one label")
        if _equal(values, self._classes):
            return None
        return {"kind": "labels", "values": values}

    def _probabilities(self, design: _Design, given: list[Any]) -> dict[str, Any] | None:
        assert design.probabilities is not None
        rows = design.probabilities.tolist()
        if _equal(given, rows):
            return {"kind": "probabilities"}
        first = given[0]
        if not isinstance(first, dict) or len(first) != len(self._classes):
            return None
        if not all(isinstance(name, str) for name in first):
            return None
        order = [next((n for n, v in first.items() if v == p), None) for p in rows[0]]
        if None in order:
            return None
        spec = {"kind": "probabilities", "values": order}
        return spec if self._is(spec, design, given) else None

    def _probability(self, design: _Design, given: list[Any]) -> dict[str, Any] | None:
        for index in range(len(self._classes)):
            spec = {"kind": "probability", "class": index}
            if self._is(spec, design, given):
                return spec
        return None

    def _top(self, design: _Design, given: list[Any]) -> dict[str, Any] | None:
        assert design.probabilities is not None
        first = given[0]
        if not isinstance(first, list) or not 1 <= len(first) <= len(self._classes):
            return None
        values: dict[int, Any] = {}
        for row, told in zip(design.probabilities, given, strict=True):
            if not isinstance(told, list) or not all(_is_scalar(value) for value in told):
                return None
            for place, value in zip(np.argsort(-row), told, strict=False):
                values[int(place)] = value
        if len(values) != len(self._classes):
            return None
        named = [values[i] for i in range(len(values))]
        for last in (False, True):
            spec = {"kind": "top_k", "count": len(first), "last_of_ties": last, "values": named}
            if self._is(spec, design, given) and self._holds_for_ties(spec):
                return spec
        return None

    def _holds_for_ties(self, spec: dict[str, Any]) -> bool:
        tied = np.round(self._spread(self._rows) * 4) / 4
        design, given = self._ask(self._index(self._rows), tied)
        return self._is(spec, design, given)

    def _threshold(self, design: _Design, given: list[Any]) -> dict[str, Any] | None:
        if not all(_is_scalar(value) for value in given):
            return None
        for index in range(len(self._classes)):
            found = self._switch(index)
            if found is not None:
                below, above, at = found
                spec = {"kind": "threshold", "class": index, "threshold": at}
                return spec | {"values": [below, above]}
        return None

    def _switch(self, index: int) -> tuple[Any, Any, float] | None:
        """Return what stands below and above, and the lowest probability of what is above.

        Only the probability of one class changes: None where the answer does not turn with it, or
        turns more than once.
        """
        dtype = np.dtype(self._answers.probabilities_dtype)
        low, high = dtype.type(0), dtype.type(1)
        while True:
            # Evenly spread, or each number of the precision where there are few.
            grid = np.unique(np.linspace(low, high, GRID).astype(dtype))
            others = self._spread(1)
            probabilities = np.repeat(others, len(grid), axis=0)
            probabilities[:, index] = grid
            _, given = self._ask(self._index(len(grid)), probabilities)
            turns = [i for i in range(1, len(given)) if not _equal([given[i]], [given[i - 1]])]
            if len(turns) != 1:
                return None
            low, high = grid[turns[0] - 1], grid[turns[0]]
            if np.nextafter(low, dtype.type(2)) >= high:
                return given[turns[0] - 1], given[turns[0]], float(high)

    def _confirm(self, spec: dict[str, Any]) -> None:
        """Hold an output against the predictor on other designs, at borders too."""
        near = [0.0, 1.0, 0.5, 1 / len(self._classes)]
        if "threshold" in spec:
            at = spec["threshold"]
            near += [at, math.nextafter(at, -1), math.nextafter(at, 2)]
        for rows in (self._rows, self._rows, 1):
            probabilities = self._spread(rows)
            if spec["kind"] != "top_k":  # whose ties were looked at
                chosen = self._random.random(probabilities.shape) < 0.3
                probabilities[chosen] = self._random.choice(near, np.count_nonzero(chosen))
            design, given = self._ask(self._index(rows), probabilities)
            if not self._is(spec, design, given):
                raise NotMatchedError(
                    "what it makes of the probabilities is none of the outputs at their borders"
                )

    # Asking the predictor.

    def _ask(self, index: Array, probabilities: Array) -> tuple[_Design, list[Any]]:
        # In the precision in which the model gives them: thresholds are compared in it.
        dtype = self._answers.probabilities_dtype
        given = None if dtype is None else probabilities.astype(dtype)
        design = _Design(self._model, index, given, self._answers)
        features = _Features()
        answer = _called(self._predictor, design.stand_in, features)
        if any(X is not features for _, X in design.asked):
            raise NotMatchedError("it changes the features before the model gets them")
        listed, _ = _listed(answer, len(index))
        return design, listed

    def _index(self, count: int) -> Array:
        """Return class indices in which each class stands, in no order."""
        return self._random.permutation(np.arange(count) % len(self._classes))

    def _spread(self, count: int) -> Array:
        """Return probabilities that are all different and need not add up to 1."""
        return self._random.random((count, len(self._classes)))

    def _is(self, spec: dict[str, Any], design: _Design, given: list[Any]) -> bool:
        return _equal(given, applied(spec, design.index, design.probabilities))


def is_array(answer: Any) -> bool:
    """Tell whether a predictor returns an array; all else is passed on as a list."""
    return isinstance(answer, np.ndarray)


def _called(predictor: Predictor, model: Any, X: Any) -> Any:
    try:
        return predictor(model, X)
    except NotMatchedError:
        raise
    except Exception as error:
        raise NotMatchedError(
            f"it looks at the features, or fails where the model gives other answers "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error


def _listed(answer: Any, rows: int) -> tuple[list[Any], str]:
    """Return an answer as plain values, one a row, and in what they came."""
    kind = "ndarray" if is_array(answer) else "list"
    for name in ("tolist", "to_list"):
        if not isinstance(answer, list | tuple | dict) and hasattr(answer, name):
            answer = getattr(answer, name)()
            break
    if hasattr(answer, "to_dicts"):  # polars
        answer = answer.to_dicts()
    elif hasattr(answer, "to_dict") and hasattr(answer, "columns"):
        answer = answer.to_dict("records")
    if not isinstance(answer, list | tuple):
        raise NotMatchedError(f"it returns a {type(answer).__name__}, not one answer a row")
    if len(answer) != rows:
        raise NotMatchedError(f"it returns {len(answer)} answers for {rows} rows")
    return [_plain(value) for value in answer], kind


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _equal(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Tell whether answers are the same in value and in type: 1, 1.0 and True are three things."""
    return len(left) == len(right) and all(map(_same, left, right))


def _same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return _equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    return bool(left == right)
