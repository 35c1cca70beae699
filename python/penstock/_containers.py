"""X as the user holds it: its columns for the engine, other rows in its container for the model."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from _penstock import InvalidArgumentError
from penstock._checks import article
from penstock._columns import Values, is_missing, missing_in, to_column, type_of
from penstock._extras import needed_for

if TYPE_CHECKING:
    from _penstock import Column

Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Container:
    """Rows of features in the user's own container. Immutable; X itself is never changed.

    Attributes
    ----------
    X
        What the user gave, or the DataFrame that it was converted to.
    kind
        "frame" (pandas.DataFrame), "array" (two-dimensional numpy.ndarray), "list" (of rows), or
        "text" (a Series, an array or a list of texts, as text vectorizers take them).
    columns
        One-dimensional, one per column of X.
    names
        Of the columns; ``x0, x1, ...`` where X has no names.
    has_names
        Whether X itself names its columns.
    """

    X: Any
    kind: str
    columns: tuple[Values, ...]
    names: tuple[str, ...]
    has_names: bool

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.columns[0]) if self.columns else len(self.X)

    def types(self) -> list[str]:
        """Return the type of each column as the signature names it."""
        return [type_of(v, name) for v, name in zip(self.columns, self.names, strict=True)]

    def to_columns(self, types: Sequence[str]) -> list[Column]:
        """Return the columns in the form that the engine takes."""
        named = zip(self.columns, types, self.names, strict=True)
        return [to_column(values, type_name, name) for values, type_name, name in named]

    @cached_property
    def _missing(self) -> tuple[Any, ...]:
        """What stands for a missing value in each column of objects; NaN where nothing does."""
        return tuple(_missing_of(values) for values in self.columns)

    def parts(self) -> dict[str, Any]:
        """Return what ``rebuild`` needs of the container, and none of its rows."""
        empty = self.take([])
        is_column = len(self.columns) == 1 and self.X is self.columns[0]
        columns = (empty,) if is_column else tuple(values[:0] for values in self.columns)
        return {
            "X": empty,
            "kind": self.kind,
            "columns": columns,
            "names": self.names,
            "has_names": self.has_names,
            "missing": self._missing,
        }

    @classmethod
    def from_parts(cls, parts: dict[str, Any]) -> Container:
        """Return a container without rows that rebuilds as the one it was made from."""
        fields = ("X", "kind", "columns", "names", "has_names")
        container = cls(*(parts[name] for name in fields))
        container.__dict__["_missing"] = parts["missing"]
        return container

    def take(self, rows: Sequence[int]) -> Any:
        """Return these rows of X in X's own container."""
        if hasattr(self.X, "iloc"):
            return self.X.iloc[list(rows)]
        if isinstance(self.X, np.ndarray):
            return self.X[list(rows)]
        return [self.X[row] for row in rows]

    def rebuild(self, columns: Sequence[Column]) -> Any:
        """Return other rows, given as columns, in X's own container and dtypes.

        A dtype gives way where it cannot hold a value that a caller of the service can send: an
        int16 column that gets 70,000 becomes int64, one with a missing value float64, a category
        that gets an unseen one an ordinary column, as they would in the user's own hands.
        """
        if self.kind == "frame":
            return self._rebuild_frame(columns)
        if self.kind == "text":
            return self._rebuild_text(columns[0])
        array = self._rebuild_array(columns)
        return array if self.kind == "array" else array.tolist()

    def _rebuild_frame(self, columns: Sequence[Column]) -> Any:
        import pandas as pd

        dtypes = [values.dtype for values in self.columns]
        restored = [
            _restore(column, dtype, missing)
            for column, dtype, missing in zip(columns, dtypes, self._missing, strict=True)
        ]
        first = restored[0].dtype
        if first.kind in "biuf" and all(column.dtype == first for column in restored):
            # One block is several times as fast to make as one column after the other.
            return pd.DataFrame(np.column_stack(restored), columns=self.X.columns, copy=False)
        frame = pd.DataFrame(dict(enumerate(restored)), copy=False)
        frame.columns = self.X.columns
        return frame

    def _rebuild_text(self, column: Column) -> Any:
        if hasattr(self.X, "iloc"):
            import pandas as pd

            return pd.Series(_restore(column, self.X.dtype, self._missing[0]), name=self.X.name)
        return _restore_objects(column, self._missing[0]) if self.X is self.columns[0] else column

    def _rebuild_array(self, columns: Sequence[Column]) -> Array:
        dtype = self.columns[0].dtype
        if dtype.kind in "biuf":
            return np.column_stack([_restore_numpy(column, dtype) for column in columns])
        restored = np.empty((len(columns[0]), len(columns)), dtype=object)
        for index, column in enumerate(columns):
            restored[:, index] = _restore_objects(column, self._missing[index])
        if dtype.kind == "U" and not any(is_missing(value) for value in restored.flat):
            return restored.astype(str)
        return restored


def contain(X: Any) -> Container:
    """Return X with its columns told apart.

    Parameters
    ----------
    X
        A pandas DataFrame, a two-dimensional NumPy array, a list of rows, any table that converts
        to a DataFrame (polars, pyarrow, penstock.Table), or one-dimensional text.

    Raises
    ------
    InvalidArgumentError
        X is something else, or is not two-dimensional.
    """
    if _is_text(X):
        values = np.array(X, dtype=object) if isinstance(X, list | tuple) else X
        return Container(X, "text", (values,), ("x0",), False)
    if isinstance(X, np.ndarray):
        return _contain_array(X, X, "array")
    if isinstance(X, list | tuple):
        return _contain_list(list(X))
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return _contain_frame(X)
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise InvalidArgumentError(
            f"X is a sparse matrix ({type(X).__name__}); a DataFrame or a two-dimensional array "
            f"was expected: pass X.toarray()"
        )
    if hasattr(X, "to_pandas") and not hasattr(X, "to_frame"):
        with needed_for(f"X, {article(type(X).__name__)}"):
            return _contain_frame(X.to_pandas())
    raise InvalidArgumentError(_not_a_table(X))


def _is_text(X: Any) -> bool:
    """Tell whether X is a row of texts; a table of them is not."""
    is_row = isinstance(X, list | tuple) or (hasattr(X, "dtype") and getattr(X, "ndim", 2) == 1)
    return is_row and len(X) > 0 and all(isinstance(value, str) for value in X)


def _not_a_table(X: Any) -> str:
    expected = "a DataFrame, a two-dimensional array or a list of rows was expected"
    if hasattr(X, "to_frame"):
        return f"X is a {type(X).__name__}, which has one dimension; {expected}: pass X.to_frame()"
    return f"X is {article(type(X).__name__)}; {expected}"


def _contain_frame(X: Any) -> Container:
    labels = list(X.columns)
    has_names = all(isinstance(label, str) for label in labels)
    names = labels if has_names else [f"x{i}" for i in range(len(labels))]
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise InvalidArgumentError(
            f"X has two columns '{twice[0]}'; names that are unique were expected: rename one"
        )
    columns = tuple(X.iloc[:, index] for index in range(len(labels)))
    return Container(X, "frame", columns, tuple(names), has_names)


def _contain_array(X: Any, array: Array, kind: str) -> Container:
    if array.ndim != 2:
        raise InvalidArgumentError(
            f"X has {array.ndim} dimension{'' if array.ndim == 1 else 's'}; rows and columns were "
            f"expected: X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one row"
        )
    columns = tuple(array[:, index] for index in range(array.shape[1]))
    names = tuple(f"x{index}" for index in range(array.shape[1]))
    return Container(X, kind, columns, names, False)


def _contain_list(rows: list[Any]) -> Container:
    if rows and isinstance(rows[0], dict):
        raise InvalidArgumentError("X is a list of records; pass pandas.DataFrame(X)")
    widths = sorted({len(row) for row in rows if isinstance(row, list | tuple | np.ndarray)})
    if len(widths) > 1:
        raise InvalidArgumentError(
            f"X is a list of rows of different lengths ({widths[0]} and {widths[-1]}); rows of "
            f"one length were expected"
        )
    with contextlib.suppress(ValueError, TypeError):
        array = np.asarray(rows)
        if array.dtype.kind in "biuf":
            return _contain_array(rows, array, "list")
    if not widths:
        raise InvalidArgumentError("X is a list of values; a list of rows was expected")
    objects = np.empty((len(rows), widths[0]), dtype=object)
    for index, row in enumerate(rows):
        objects[index, :] = row
    return _contain_array(rows, objects, "list")


def _missing_of(values: Values) -> Any:
    if values.dtype.kind != "O" or not isinstance(values.dtype, np.dtype):
        return np.nan
    places = np.flatnonzero(missing_in(values))
    return np.asarray(values)[places[0]] if places.size else np.nan


def _restore(column: Column, dtype: Any, missing: Any) -> Any:
    """Return a column in a pandas or NumPy dtype."""
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            import pandas as pd

            return pd.Series(_restore_objects(column, missing), dtype=object)
        return _restore_numpy(column, dtype)
    return _restore_extension(column, dtype)


def _restore_numpy(column: Column, dtype: np.dtype[Any]) -> Array:
    if isinstance(column, list):
        # A missing value among booleans or text: what pandas and NumPy make of it too.
        return np.array([np.nan if value is None else value for value in column], dtype=object)
    if dtype.kind in "iu" and (column.dtype.kind == "f" or not _fits(column, dtype)):
        return column
    with np.errstate(over="ignore"):
        restored = column.astype(dtype)
    if dtype.kind == "f" and dtype.itemsize < column.dtype.itemsize < 8:
        # float16: what a caller sends is a float32, and 70,000 is none of its infinities.
        return restored if np.array_equal(restored, column, equal_nan=True) else column
    return restored


def _fits(column: Array, dtype: np.dtype[Any]) -> bool:
    if not column.size or column.dtype.kind == "b":
        return True
    bounds = np.iinfo(dtype)
    return bool(bounds.min <= int(column.min()) and int(column.max()) <= bounds.max)


def _restore_objects(column: Column, missing: Any) -> Array:
    plain = column if isinstance(column, list) else column.tolist()
    restored = np.empty(len(plain), dtype=object)
    restored[:] = [missing if is_missing(value) else value for value in plain]
    return restored


def _restore_extension(column: Column, dtype: Any) -> Any:
    import pandas as pd

    plain = column if isinstance(column, list) else column.tolist()
    plain = [None if is_missing(value) else value for value in plain]
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        known = set(categories)
        if all(value is None or value in known for value in plain):
            return pd.Categorical(plain, dtype=dtype)
        return pd.Series(plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # What pandas.array does, at a fifth of its cost.
            return dtype.construct_array_type()._from_sequence(plain, dtype=dtype)
        except (TypeError, ValueError, OverflowError):
            return pd.Series(plain)
