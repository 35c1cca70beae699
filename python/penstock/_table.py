"""read: rows from a source, as Arrow, as a DataFrame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import _penstock
from _penstock import InvalidArgumentError
from penstock._extras import needed_for

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

INFINITE_TIME = 2**63 - 1  # DuckDB's "infinity", in units of any timestamp; "-infinity" is less it
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # of datetime.date, from 1970 on


class Table:
    """Rows read from a source. Made by ``read``. Immutable, and safe to use from several threads.

    Any library that takes Arrow takes it: ``pyarrow.table(t)``, ``polars.DataFrame(t)``. The first
    method that is called reads all rows, which are kept; ``to_reader`` gives them once instead, a
    batch at a time.

    Examples
    --------
    >>> digits = penstock.read("sqlite:///digits.db#digits")
    >>> digits.to_pandas().shape
    (1797, 65)
    """

    def __init__(self, uri: str, source: _penstock.Table) -> None:
        self._uri = uri
        self._source = source
        self._lock = threading.Lock()
        self._table: pyarrow.Table | None = None

    def to_arrow(self) -> pyarrow.Table:
        """Return the rows as a pyarrow.Table, without a copy; every column is one piece of memory.

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
        self._source.gather()
        try:
            return pyarrow.table(self._source)
        except (pyarrow.ArrowException, OSError):
            self._source.check()  # the error itself, of which Arrow passes on the text alone
            raise

    def to_reader(self) -> pyarrow.RecordBatchReader:
        """Return the rows as a pyarrow.RecordBatchReader, once: batches of at most 65,536 rows.

        Memory stays bounded by a few batches, however long the table is. Errors are raised by the
        batch that they end.

        Raises
        ------
        FailedPreconditionError
            The rows were taken already, as by ``to_reader``.
        ModuleNotFoundError
            pyarrow is not installed.
        """
        kind = _pyarrow().RecordBatchReader
        with self._lock:
            if self._table is not None:
                reader: pyarrow.RecordBatchReader = self._table.to_reader()
                return reader
            stream = kind.from_stream(self._source)
        return kind.from_batches(stream.schema, self._batches(stream))

    def _batches(self, stream: pyarrow.RecordBatchReader) -> Iterator[pyarrow.RecordBatch]:
        while True:
            try:
                yield stream.read_next_batch()
            except StopIteration:
                return
            except (_pyarrow().ArrowException, OSError):
                self._source.check()
                raise

    def to_pandas(self, *, writable: bool = False) -> pandas.DataFrame:
        """Return the rows as a pandas.DataFrame, in the dtypes that pandas gives to such columns.

        Integers with missing values become float64, text pandas' own text dtype.

        Parameters
        ----------
        writable
            False: numeric columns without a missing value share their memory with ``to_arrow()``.
            They can be replaced (``frame["a"] = ...``), but a change within one, as by ``.loc``,
            raises ValueError. True: they are copied.

        Raises
        ------
        PenstockError
            The read stopped in the middle.
        InvalidArgumentError
            A time is infinite, or a date beyond the years 1 to 9999, which pandas cannot hold.
        ModuleNotFoundError
            pyarrow or pandas is not installed.
        """
        with needed_for("Table.to_pandas"):
            import pandas  # noqa: F401
        table = self.to_arrow()
        for name, column in zip(table.column_names, table.columns, strict=True):
            _check_times(name, column)
        frame: pandas.DataFrame = table.to_pandas(split_blocks=True)
        return frame.copy() if writable else frame

    def to_polars(self) -> polars.DataFrame:
        """Return the rows as a polars.DataFrame.

        Numeric columns, dates and times share their memory with ``to_arrow()``.

        Raises
        ------
        PenstockError
            The read stopped in the middle.
        ModuleNotFoundError
            polars is not installed.
        """
        with needed_for("Table.to_polars"):
            import polars
        frame: polars.DataFrame = polars.DataFrame(self)
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


def _check_times(name: str, column: Any) -> None:
    """Refuse the times of a database that pandas would show as others."""
    arrow = _pyarrow()
    if arrow.types.is_timestamp(column.type):
        first, last, type_ = 1 - INFINITE_TIME, INFINITE_TIME - 1, arrow.int64()
    elif arrow.types.is_date32(column.type):
        first, last, type_ = FIRST_DAY, LAST_DAY, arrow.int32()
    else:
        return
    from pyarrow import compute

    ends = compute.min_max(column.cast(type_)).as_py()
    if ends["min"] is None or (ends["min"] >= first and ends["max"] <= last):
        return
    what, null = "an infinite time", f"nullif({name}, 'infinity')"
    if type_ == arrow.int32():
        what = "a date beyond the years 1 to 9999"
        null = f"CASE WHEN year({name}) BETWEEN 1 AND 9999 THEN {name} END"
    raise InvalidArgumentError(
        f"column '{name}' holds {what}, which pandas cannot hold; put null in its place in a "
        f"query, as in {null}, or take the rows with to_arrow() or to_polars()"
    )


def _pyarrow() -> Any:
    with needed_for("a Table", "a library that takes Arrow itself, as polars does, takes it too"):
        import pyarrow
    return pyarrow


def read(uri: str) -> Table:
    """Read files, a table of a database, or the result of a query.

    Parameters
    ----------
    uri
        Files: ``data/*.csv``, ``file:///srv/x.parquet``, ``x.jsonl.gz``, or with the format told,
        ``csv:x.dat``, ``parquet:``, ``json:``. Options of the format stand behind a ``?``
        (``x.csv?delim=;&header=false``), and last a query over the files, which are the table
        ``data``: ``x.csv?query=SELECT a FROM data``. Databases: ``sqlite:///digits.db#digits``
        (relative path, table), ``sqlite:////data/digits.db#digits`` (absolute path),
        ``duckdb:///x.duckdb#table``, or ``?query=SELECT ...`` in place of the table. Several files:
        ``duckdb:?query=SELECT ... FROM 'a.csv' JOIN 'b.parquet' USING (id)``. Percent-encoding is
        optional.

    Raises
    ------
    NotFoundError
        There is no such file or table.
    InvalidArgumentError
        The URI is not one, the query does not parse or names no column of the source, a file is not
        of its format.
    DataLossError
        A Parquet file is cut off.
    FailedPreconditionError
        DuckDB, which reads files, is not installed with Penstock.

    Examples
    --------
    >>> penstock.read("sqlite:///digits.db#digits").to_pandas().shape
    (1797, 65)
    >>> frame.to_csv("rows.csv", index=False)
    >>> penstock.read("rows.csv?query=SELECT max(age) AS oldest FROM data").to_pandas()
       oldest
    0      70
    """
    return Table(uri, _penstock.read(uri))
