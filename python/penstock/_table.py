"""read: rows from a source, as Arrow, as a DataFrame."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import _penstock

if TYPE_CHECKING:
    import pandas
    import pyarrow


class Table:
    """Rows read from a source. Made by ``read``. Immutable, and safe to use from several threads.

    Any library that takes Arrow takes it: ``polars.DataFrame(t)``, ``pyarrow.table(t)``.
    """

    def __init__(self, uri: str, source: _penstock.Table) -> None:
        self._uri = uri
        self._source = source
        self._lock = threading.Lock()
        self._table: pyarrow.Table | None = None

    def to_arrow(self) -> pyarrow.Table:
        """Return the rows as a pyarrow.Table, without a copy.

        Raises
        ------
        PenstockError
            The read stopped in the middle, as at a value that does not fit its column.
        ModuleNotFoundError
            pyarrow is not installed.
        """
        with self._lock:
            if self._table is None:
                self._table = self._read()
            return self._table

    def _read(self) -> pyarrow.Table:
        pyarrow = _pyarrow()
        try:
            return pyarrow.table(self._source)
        except (pyarrow.ArrowException, OSError):
            self._source.check()  # the error itself, of which Arrow passes on the text alone
            raise

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a pandas.DataFrame, in the dtypes that pandas gives to such columns.

        Integers with missing values become float64, text pandas' own text dtype.

        Raises
        ------
        ModuleNotFoundError
            pyarrow or pandas is not installed.
        """
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as the PyCapsule "arrow_array_stream"."""
        try:
            table: Any = self.to_arrow()
        except ModuleNotFoundError:
            # Without pyarrow to keep them, the rows can be taken once.
            table = self._source
        return table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        if self._table is None:
            return f"Table({self._uri!r})"
        rows, columns = self._table.shape
        return f"Table({self._uri!r}: {rows:,} rows, {columns} columns)"


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "pyarrow is not installed: pip install pyarrow, or hand the table to a library that "
            "takes Arrow itself, as polars does",
            name=error.name,
        ) from None
    return pyarrow


def read(uri: str) -> Table:
    """Read a table or the result of a query.

    Parameters
    ----------
    uri
        ``sqlite:///digits.db#digits`` (relative path, table), ``sqlite:////data/digits.db#digits``
        (absolute path), or ``sqlite:///digits.db?query=SELECT ...``; percent-encoding is optional.

    Raises
    ------
    NotFoundError
        There is no such file, table or column.
    InvalidArgumentError
        The URI is not one, or the query does not parse.

    Examples
    --------
    >>> penstock.read("sqlite:///digits.db#digits").to_pandas().shape
    (1797, 65)
    """
    return Table(uri, _penstock.read(uri))
