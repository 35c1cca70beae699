"""One column of X: its type in the signature, its values for the engine, and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from _penstock import InvalidArgumentError

if TYPE_CHECKING:
    from _penstock import Column

Values: TypeAlias = Any
"""A one-dimensional NumPy array, or a pandas Series or Index."""

_REMEDIES = {
    "M": "turn it into a number (days since a date, month) or text before fitting",
    "m": "turn it into a number (seconds, days) before fitting",
    "c": "split it into its real and imaginary part before fitting",
}


def is_missing(value: object) -> bool:
    """Tell whether a single value stands for "not there": None, NaN, pandas.NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def type_of(values: Values, name: str) -> str:
    """Return the type of a column as the signature names it.

    Parameters
    ----------
    values
        One-dimensional, of any dtype.
    name
        Of the column, for the message.

    Raises
    ------
    InvalidArgumentError
        The signature has no such type: dates, complex numbers, a mix of numbers and text.
    """
    dtype = values.dtype
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        return type_of(categories, name)
    kind = dtype.kind
    if kind == "b":
        return "bool"
    if kind in "iu":
        return "int64"
    if kind == "f":
        return "float32" if dtype.itemsize <= 4 else "float64"
    if kind in "UT":
        return "string"
    if kind == "O":
        return _type_of_objects(values, name)
    remedy = _REMEDIES.get(kind, "convert it to numbers, text or booleans before fitting")
    raise InvalidArgumentError(
        f"column '{name}' holds {dtype}; numbers, text or booleans were expected: {remedy}"
    )


def _type_of_objects(values: Iterable[object], name: str) -> str:
    types = {type(value) for value in values if not is_missing(value)}
    if all(issubclass(t, str) for t in types) and types:
        return "string"
    if all(issubclass(t, bool | np.bool_) for t in types) and types:
        return "bool"
    if all(issubclass(t, int | np.integer) and not issubclass(t, bool) for t in types) and types:
        return "int64"
    if all(issubclass(t, int | float | np.number) and not issubclass(t, bool) for t in types):
        return "float64"
    told = ", ".join(sorted(t.__name__ for t in types))
    raise InvalidArgumentError(
        f"column '{name}' holds objects of type {told}; values of one type (numbers, text or "
        f"booleans) were expected: convert the column before fitting"
    )


def to_column(values: Values, type_name: str, name: str) -> Column:
    """Return the values of a column in the form that the engine takes for its type.

    Arrays that already have that form are passed on, not copied.

    Raises
    ------
    InvalidArgumentError
        The values do not fit the type: text in a column of numbers, an integer beyond int64.
    """
    given = type_of(values, name)
    if given != type_name and not _is_widening(given, type_name, values):
        raise InvalidArgumentError(
            f"column '{name}' holds {given} values; the model takes {type_name} there"
        )
    if type_name == "string":
        return [None if is_missing(value) else str(value) for value in values]
    if type_name == "bool":
        return _bools(values)
    if type_name == "int64":
        return _integers(values, name)
    return _floats(values, np.dtype(type_name))


def _is_widening(given: str, wanted: str, values: Values) -> bool:
    if wanted == "string":
        return all(is_missing(value) for value in values)
    numbers = {"bool", "int64", "float32", "float64"}
    return given in numbers and wanted in numbers


def _floats(values: Values, dtype: np.dtype[Any]) -> Column:
    array = _numbers(values)
    with np.errstate(over="ignore"):
        return array if array.dtype == dtype else array.astype(dtype)


def _numbers(values: Values) -> np.ndarray[Any, Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if isinstance(getattr(values, "dtype", None), np.dtype) and values.dtype.kind in "biuf":
        return _numbers(values.to_numpy())
    return np.array([np.nan if is_missing(v) else v for v in values], dtype=np.float64)


def _integers(values: Values, name: str) -> Column:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "bif":
        return _numbers(values)
    if any(is_missing(value) for value in values):
        return _numbers(values)
    largest = max((int(value) for value in values), default=0)
    if largest >= 2**63:
        raise InvalidArgumentError(
            f"column '{name}' holds {largest}; integers up to 2^63 - 1 were expected: keep such "
            f"numbers as text, or turn them into float64 before fitting"
        )
    return np.array([int(value) for value in values], dtype=np.int64)


def _bools(values: Values) -> Column:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "b":
        return np.asarray(values)
    return [None if is_missing(value) else _bool(value) for value in values]


def _bool(value: Any) -> Any:
    # 0 and 1 are good for a bool column in a request too.
    if value not in (0, 1):
        raise InvalidArgumentError(f"{value!r} stands in a column of booleans")
    return bool(value)
