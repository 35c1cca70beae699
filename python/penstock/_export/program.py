"""What exporters write for the own evaluator: steps, arrays, and what a step is given."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from penstock._checks import quoted
from penstock._export import NotExportableError

if TYPE_CHECKING:
    from penstock._export import Subject

Array: TypeAlias = np.ndarray[Any, Any]
Step: TypeAlias = dict[str, Any]


@dataclass
class Program:
    """The steps so far and the arrays that they name."""

    steps: list[Step] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)

    def add(self, values: Any) -> str:
        """Keep an array and return its name."""
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.ascontiguousarray(values)
        return name

    def branch(self) -> Program:
        """Return a program for the steps of a part, with the same arrays."""
        return Program([], self.arrays)


class Texts:
    """The texts that steps know in a column, in the order in which they were met.

    The evaluator reads a text as its place among them, one that it does not know as -1.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.known: dict[str, int] = {}

    def code(self, text: str) -> int:
        """Return the place of a text, which is known from now on."""
        return self.known.setdefault(text, len(self.known))


@dataclass(frozen=True)
class Given:
    """What a step is given: a row as the estimator would get it, and where its columns stand.

    Attributes
    ----------
    X
        One row, in whatever container the step before returns; its dtype is the step's.
    texts
        By column: the texts of a column of text, None for one of numbers.
    places
        By column: where the evaluator has it among the columns that it has now.
    names
        By column, for messages.
    """

    X: Any
    texts: tuple[Texts | None, ...]
    places: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return len(self.texts)

    def take(self, columns: Sequence[int], X: Any) -> Given:
        """Return some of the columns as a part gets them: in their order, from the first place."""
        return Given(
            X,
            tuple(self.texts[i] for i in columns),
            tuple(range(len(columns))),
            tuple(self.names[i] for i in columns),
        )

    def become(self, X: Any, width: int) -> Given:
        """Return what a step gives that makes so many columns of numbers."""
        names = tuple(f"x{i}" for i in range(width))
        return Given(X, (None,) * width, tuple(range(width)), names)


def begin(program: Program, subject: Subject) -> tuple[Given, tuple[Texts | None, ...]]:
    """Return the columns of X, numbers before texts, as the evaluator begins with them."""
    types = subject.types
    numbers = [i for i, name in enumerate(types) if name != "string"]
    ordered = numbers + [i for i, name in enumerate(types) if name == "string"]
    texts = tuple(Texts() if name == "string" else None for name in types)
    if len(numbers) < len(types):
        program.steps.append({"op": "text", "texts": []})
    places = tuple(ordered.index(i) for i in range(len(types)))
    given = Given(subject.container.take([0]), texts, places, subject.container.names)
    return given, texts


def settled(program: Program, given: Given) -> Given:
    """Put the columns into the order of X, for a step that reads all of them."""
    places = tuple(range(given.width))
    if given.places == places:
        return given
    order = program.add(np.array(given.places, dtype=np.int64))
    program.steps.append({"op": "columns", "parts": [{"columns": order, "steps": []}]})
    return Given(given.X, given.texts, places, given.names)


def check_numbers(estimator: Any, given: Given) -> None:
    """Refuse text where an estimator computes.

    Raises
    ------
    NotExportableError
        With the name of the column.
    """
    held = [name for name, texts in zip(given.names, given.texts, strict=True) if texts is not None]
    if held:
        raise NotExportableError(
            f"column{'s' * (len(held) > 1)} {quoted(held)} hold{'s' * (len(held) == 1)} text where "
            f"{type(estimator).__name__} takes numbers alone: encode it before"
        )


def transformed(transformer: Any, X: Any) -> tuple[Any, np.dtype[Any]]:
    """Return a row as it leaves a transformer, and its dtype."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = transformer.transform(X)
    dtype = out.dtype if hasattr(out, "nnz") else np.asarray(out).dtype
    return out, dtype


def check_float(dtype: np.dtype[Any], estimator: Any) -> None:
    """Refuse arithmetic that the evaluator does not have.

    Raises
    ------
    NotExportableError
        The dtype is neither float64 nor float32.
    """
    if dtype not in (np.float64, np.float32):
        raise NotExportableError(
            f"{type(estimator).__name__} works in {dtype} here: fit it on float32 or float64 rows"
        )
