"""Range: what values a hyperparameter may have."""

from __future__ import annotations

import math
import numbers
import typing
from dataclasses import dataclass
from typing import Any

from _penstock import InvalidArgumentError


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included; None: no end on that side. Immutable.

    Parameters
    ----------
    low, high
        Numbers.

    Raises
    ------
    InvalidArgumentError
        ``low`` is above ``high``.

    Examples
    --------
    >>> from typing import Annotated
    >>> def untrained(C: Annotated[float, penstock.Range(0.001, 100)] = 1.0):
    ...     return LogisticRegression(C=C)
    >>> 200 in penstock.Range(0.001, 100)
    False
    """

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """Refuse a range without values, and ends that are no numbers."""
        for end in (self.low, self.high):
            if end is not None and not isinstance(end, numbers.Real):
                raise InvalidArgumentError(
                    f"an end of a range is {end!r}; a number, or None for no end, was expected"
                )
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise InvalidArgumentError(f"the range {self} has no values: low is above high")

    def __contains__(self, value: object) -> bool:
        """Tell whether a number lies in it; NaN lies in none."""
        if not isinstance(value, numbers.Real):
            return False
        number = typing.cast("float", value)
        is_above = self.low is None or number >= self.low
        is_below = self.high is None or number <= self.high
        return is_above and is_below and not math.isnan(number)

    def __str__(self) -> str:
        """Return it as messages have it."""
        if self.low is None:
            return "any number" if self.high is None else f"at most {self.high}"
        return f"at least {self.low}" if self.high is None else f"{self.low} to {self.high}"

    @property
    def type(self) -> type:
        """Return int where both ends are whole numbers, else float."""
        ends = [end for end in (self.low, self.high) if end is not None]
        return int if ends and all(isinstance(end, int) for end in ends) else float


def split_hint(hint: Any) -> tuple[Any, Range | None, tuple[Any, ...]]:
    """Return a declared type without what limits it, its range, and its choices (Literal)."""
    if isinstance(hint, Range):
        return hint.type, hint, ()
    limits = None
    if typing.get_origin(hint) is typing.Annotated:
        inner, *more = typing.get_args(hint)
        limits = next((each for each in more if isinstance(each, Range)), None)
        hint = inner
    if typing.get_origin(hint) is typing.Literal:
        # Of several types where they are: membership tells.
        return Any, limits, typing.get_args(hint)
    return hint, limits, ()
