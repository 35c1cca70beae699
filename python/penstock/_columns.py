"""One column of X: its type in the signature, its values for the engine, and the way back."""

from __future__ import annotations

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


_MISSING_TYPES = {"NoneType", "NAType", "NaTType"}


def is_missing(value: object) -> bool:
    """Tell whether a single value stands for "not there": None, NaN, pandas.NA."""
    if isinstance(value, str):
        return False
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def missing_in(values: Values) -> np.ndarray[Any, Any]:
    """Return, for each value of a column, whether it is missing."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biufUS":
        array = np.asarray(values)
        return np.isnan(array) if dtype.kind == "f" else np.zeros(len(array), dtype=bool)
    if hasattr(values, "isna"):
        return np.asarray(values.isna(), dtype=bool)
    plain = values.tolist()
    return np.fromiter(map(is_missing, plain), dtype=bool, count=len(plain))


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


def _type_of_objects(values: Values, name: str) -> str:
    plain = values.tolist()
    # By type first: to look at each of many texts would take seconds.
    types = {t for t in set(map(type, plain)) if t.__name__ not in _MISSING_TYPES}
    floats = tuple(t for t in types if issubclass(t, float | np.floating))
    if floats:
        types -= set(floats)
        types |= {type(v) for v in plain if isinstance(v, floats) and not is_missing(v)}
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
        return _texts(values)
    if type_name == "bool":
        return _bools(values)
    if type_name == "int64":
        return _integers(values, name)
    return _floats(values, np.dtype(type_name))


def _is_widening(given: str, wanted: str, values: Values) -> bool:
    if wanted == "string":
        return bool(missing_in(values).all())
    numbers = {"bool", "int64", "float32", "float64"}
    return given in numbers and wanted in numbers


def _texts(values: Values) -> list[str | None]:
    plain: list[Any] = values.tolist()
    if set(map(type, plain)) <= {str}:
        return plain
    return [None if is_missing(value) else str(value) for value in plain]


def _floats(values: Values, dtype: np.dtype[Any]) -> Column:
    array = _numbers(values)
    with np.errstate(over="ignore"):
        return array if array.dtype == dtype else array.astype(dtype)


def _numbers(values: Values) -> np.ndarray[Any, Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if isinstance(getattr(values, "dtype", None), np.dtype) and values.dtype.kind in "biuf":
        return _numbers(values.to_numpy())
    if hasattr(values, "to_numpy") and getattr(values.dtype, "categories", None) is None:
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.array([np.nan if is_missing(v) else v for v in values], dtype=np.float64)


def _integers(values: Values, name: str) -> Column:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "bif":
        return _numbers(values)
    if missing_in(values).any():
        return _numbers(values)
    plain = _integers_as_they_are(values)
    largest = int(plain.max()) if plain.size else 0
    if largest >= 2**63:
        raise InvalidArgumentError(
            f"column '{name}' holds {largest}; integers up to 2^63 - 1 were expected: keep such "
            f"numbers as text, or turn them into float64 before fitting"
        )
    return plain.astype(np.int64)


def _integers_as_they_are(values: Values) -> np.ndarray[Any, Any]:
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "u":
        return np.asarray(values)
    if hasattr(values, "to_numpy") and dtype.kind in "iu":
        return np.asarray(values.to_numpy(dtype=f"{dtype.kind}8"))
    return np.array([int(value) for value in values], dtype=object)


def _bools(values: Values) -> Column:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "b":
        return np.asarray(values)
    return [None if is_missing(value) else _bool(value) for value in values]


def _bool(value: Any) -> Any:
    # 0 and 1 are good for a bool column in a request too.
    if value not in (0, 1):
        raise InvalidArgumentError(f"{value!r} stands in a column of booleans")
    return bool(value)
