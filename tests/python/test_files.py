"""Reading files through DuckDB into Arrow, pandas and polars."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import shutil
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import _penstock
import penstock

FRAME = pd.DataFrame({"id": [1, 2, 3], "ratio": [0.5, 1.5, 2.5], "name": ["é", "b", "c"]})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv("a.csv", index=False)
    FRAME.to_parquet("a.parquet")
    FRAME.to_json("a.jsonl", orient="records", lines=True)
    FRAME.to_json("a.json", orient="records")
    for name in ("a.csv", "a.jsonl"):
        Path(f"{name}.gz").write_bytes(gzip.compress(Path(name).read_bytes()))
    return tmp_path


@pytest.mark.parametrize(
    "uri",
    [
        "a.csv",
        "a.csv.gz",
        "a.jsonl",
        "a.jsonl.gz",
        "a.json",
        "a.parquet",
        "csv:a.csv",
        "a.csv?delim=,&header=true",
        "a.csv?query=SELECT * FROM data",
        "a.csv?query=SELECT%20*%20FROM%20data",
        "duckdb:?query=SELECT a.*  FROM 'a.csv' a JOIN 'a.parquet' b USING (id) ORDER BY id",
        "file://{folder}/a.csv",
        "{folder}/a.parquet",
        "parquet://{folder}/a.parquet",
    ],
)
def test_every_form_gives_the_same_rows(folder: Path, uri: str) -> None:
    table = penstock.read(uri.format(folder=folder))
    pd.testing.assert_frame_equal(table.to_pandas(), FRAME)


def test_a_pattern_reads_its_files_in_order(folder: Path) -> None:
    for part in range(3):
        FRAME.assign(part=part).to_parquet(f"part-{part}.parquet")
    table = penstock.read("part-?.parquet").to_pandas()
    assert table["part"].tolist() == [0] * 3 + [1] * 3 + [2] * 3


def test_a_name_with_pattern_characters_is_a_name(folder: Path) -> None:
    shutil.copy("a.csv", "[odd]*.csv")
    assert len(penstock.read("[odd]*.csv").to_pandas()) == 3


def test_options_are_those_of_duckdb(folder: Path) -> None:
    Path("o.csv").write_text("# made\n01;2,5;NA\n02;3,5;x\n")
    table = penstock.read(
        "o.csv?delim=;&header=false&skip=1&names=['zip','price','note']&nullstr=NA"
        "&decimal_separator=%2C&types={'zip': 'VARCHAR'}"
    ).to_pandas()
    assert table["zip"].tolist() == ["01", "02"]
    assert table["price"].tolist() == [2.5, 3.5]
    assert pd.isna(table["note"][0])


# The table of types in docs/reference/sources.md: what DuckDB's type becomes in Arrow.
TYPES = [
    ("TRUE", pa.bool_(), True),
    ("1::TINYINT", pa.int8(), 1),
    ("1::SMALLINT", pa.int16(), 1),
    ("1::INTEGER", pa.int32(), 1),
    ("1::BIGINT", pa.int64(), 1),
    ("1::UTINYINT", pa.uint8(), 1),
    ("1::USMALLINT", pa.uint16(), 1),
    ("1::UINTEGER", pa.uint32(), 1),
    ("18446744073709551615::UBIGINT", pa.uint64(), 2**64 - 1),
    ("9223372036854775807::HUGEINT", pa.int64(), 2**63 - 1),
    ("7::UHUGEINT", pa.int64(), 7),
    ("0.5::FLOAT", pa.float32(), 0.5),
    ("0.1::DOUBLE", pa.float64(), 0.1),
    ("12.34::DECIMAL(10, 2)", pa.float64(), float(Decimal("12.34"))),
    ("'Zürich'", pa.string(), "Zürich"),
    ("'b'::ENUM('a', 'b')", pa.string(), "b"),
    (
        "'5e1f0f0e-0000-4000-8000-00000000000a'::UUID",
        pa.string(),
        str(uuid.UUID("5e1f0f0e-0000-4000-8000-00000000000a")),
    ),
    ("'\\x00\\xFF'::BLOB", pa.binary(), b"\x00\xff"),
    ("DATE '2024-02-29'", pa.date32(), datetime.date(2024, 2, 29)),
    ("TIME '01:02:03.5'", pa.time64("us"), datetime.time(1, 2, 3, 500_000)),
    (
        "TIMESTAMP '2024-02-29 01:02:03.5'",
        pa.timestamp("us"),
        datetime.datetime(2024, 2, 29, 1, 2, 3, 500_000),
    ),
    (
        "TIMESTAMP_S '2024-02-29 01:02:03'",
        pa.timestamp("us"),
        datetime.datetime(2024, 2, 29, 1, 2, 3),
    ),
    (
        "TIMESTAMP_MS '2024-02-29 01:02:03'",
        pa.timestamp("us"),
        datetime.datetime(2024, 2, 29, 1, 2, 3),
    ),
    ("TIMESTAMP_NS '2024-02-29 01:02:03'", pa.timestamp("ns"), pd.Timestamp(2024, 2, 29, 1, 2, 3)),
    (
        "TIMESTAMPTZ '2024-02-29 01:02:03+01'",
        pa.timestamp("us", "UTC"),
        datetime.datetime(2024, 2, 29, 0, 2, 3, tzinfo=datetime.UTC),
    ),
]


@pytest.mark.parametrize(("sql", "kind", "value"), TYPES, ids=[sql for sql, _, _ in TYPES])
def test_a_type_becomes_what_the_documentation_says(
    sql: str, kind: pa.DataType, value: object
) -> None:
    query = f"duckdb:?query=SELECT {sql} AS v UNION ALL SELECT NULL"
    column = penstock.read(query).to_arrow().column("v")
    assert column.type == kind
    assert sorted(column.to_pylist(), key=lambda v: v is None) == [value, None]
    assert column.null_count == 1


def test_a_sum_of_integers_is_an_integer(folder: Path) -> None:
    table = penstock.read("a.csv?query=SELECT sum(id) AS total FROM data").to_arrow()
    assert table.schema.field("total").type == pa.int64()
    with pytest.raises(penstock.OutOfRangeError, match=r"CAST\(\.\.\. AS DOUBLE\)"):
        penstock.read("a.csv?query=SELECT sum(id) * 9e18::HUGEINT AS t FROM data").to_arrow()


def test_nested_types_are_refused_with_the_remedy(folder: Path) -> None:
    pq.write_table(pa.table({"tags": [["x"], ["y"]], "part": [{"a": 1}, {"a": 2}]}), "n.parquet")
    with pytest.raises(
        penstock.InvalidArgumentError, match=r'column \'tags\' is a list.*"tags"\[1\]'
    ):
        penstock.read("n.parquet")
    rows = penstock.read('n.parquet?query=SELECT "tags"[1] AS tag, part.a FROM data').to_pandas()
    assert rows.to_numpy().tolist() == [["x", 1], ["y", 2]]


def test_integers_with_null_keep_their_type_in_arrow(folder: Path) -> None:
    table = penstock.read("duckdb:?query=SELECT unnest([1, NULL, 3])::INTEGER AS v")
    assert table.to_arrow().schema.field("v").type == pa.int32()
    assert table.to_polars()["v"].to_list() == [1, None, 3]
    assert table.to_pandas()["v"].dtype == np.float64


def test_whole_numeric_columns_are_shared_and_read_only(folder: Path) -> None:
    columns = "range AS i, range / 7 AS x, range::FLOAT AS f, range < 5 AS b"
    table = penstock.read(f"duckdb:?query=SELECT {columns} FROM range(300000)")
    arrow, frame, polars = table.to_arrow(), table.to_pandas(), table.to_polars()
    for name in ("i", "x", "f"):
        assert arrow.column(name).num_chunks == 1
        memory = arrow.column(name).chunk(0).to_numpy(zero_copy_only=True)
        values = frame[name].to_numpy()
        assert np.shares_memory(memory, values)
        assert not values.flags.writeable
        assert np.shares_memory(memory, polars[name].to_numpy(allow_copy=False))
    assert not np.shares_memory(frame["b"].to_numpy(), np.asarray(arrow.column("b").chunk(0)))
    with pytest.raises(ValueError, match="read-only"):
        frame.loc[0, "x"] = -1.0
    own = table.to_pandas(writable=True)
    own.loc[0, "x"] = -1.0
    assert frame["x"][0] == 0.0


def test_sqlite_columns_are_shared_too(folder: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect("t.db")) as connection:
        pd.DataFrame({"v": np.arange(200_000)}).to_sql("t", connection, index=False)
    table = penstock.read("sqlite:///t.db#t")
    memory = table.to_arrow().column("v").chunk(0).to_numpy(zero_copy_only=True)
    assert np.shares_memory(memory, table.to_pandas()["v"].to_numpy())


def test_polars_gets_the_same_rows(folder: Path) -> None:
    assert penstock.read("a.parquet").to_polars().equals(pl.from_pandas(FRAME))


def test_a_reader_gives_batches_once(folder: Path) -> None:
    table = penstock.read("duckdb:?query=SELECT range AS r FROM range(200000)")
    lengths = [len(batch) for batch in table.to_reader()]
    assert sum(lengths) == 200_000
    assert max(lengths) < 70_000
    with pytest.raises(penstock.FailedPreconditionError, match="taken already"):
        table.to_arrow()


def test_a_reader_raises_the_error_itself(folder: Path) -> None:
    lines = "".join(f"{i},x\n" for i in range(100_000))
    Path("late.csv").write_text(f"a,b\n{lines}hello,y\n")
    reader = penstock.read("late.csv").to_reader()
    with pytest.raises(penstock.InvalidArgumentError, match="line 100002, column 'a'"):
        for _ in reader:
            pass


SMALL_MEMORY = """
import resource, sys, penstock
rows = 0
for batch in penstock.read(sys.argv[1]).to_reader():
    rows += len(batch)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_table_larger_than_the_limit_streams_in_bounded_memory(folder: Path) -> None:
    columns = ", ".join(f"range + {i} AS c{i}" for i in range(10))
    _, little = map(int, _run(SMALL_MEMORY, f"duckdb:?query=SELECT {columns} FROM range(70000)"))
    rows, most = map(
        int, _run(SMALL_MEMORY, f"duckdb:?query=SELECT {columns} FROM range(10000000)")
    )
    assert rows == 10_000_000  # 800 MB of values
    assert most - little < 200_000  # KiB


def test_an_error_names_the_source_of_trouble(folder: Path) -> None:
    Path("wide.csv").write_text("a,b\n" + "1,x\n" * 30_000 + "1,2,3\n")
    Path("cut.parquet").write_bytes(Path("a.parquet").read_bytes()[:-20])
    Path("latin.csv").write_bytes("a,b\n1,Zürich\n".encode("latin-1"))
    Path("empty").mkdir()
    cases: list[tuple[str, type[Exception], str]] = [
        ("nosuch/a.csv", penstock.NotFoundError, "nosuch/a.csv"),
        ("b.csv", penstock.NotFoundError, "Did you mean 'a.csv'"),
        ("empty/*.csv", penstock.NotFoundError, r"no file matches 'empty/\*.csv'"),
        ("empty", penstock.InvalidArgumentError, "'empty' is a directory"),
        ("wide.csv", penstock.InvalidArgumentError, "line 30002: 2 columns .* 3 were found"),
        ("cut.parquet", penstock.DataLossError, "cut off"),
        ("latin.csv", penstock.InvalidArgumentError, "line 2: the text is not UTF-8"),
        ("a.csv?query=SELECT idd FROM data", penstock.InvalidArgumentError, "Did you mean 'id'"),
        ("a.csv?haeder=true", penstock.InvalidArgumentError, "Did you mean 'header'"),
        ("a.csv?query=COPY data TO 'b.csv'", penstock.InvalidArgumentError, "only reads"),
    ]
    for uri, kind, told in cases:
        with pytest.raises(kind, match=told):
            penstock.read(uri).to_arrow()
    assert penstock.read("latin.csv?encoding=latin-1").to_pandas()["b"][0] == "Zürich"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root reads all")
def test_a_file_without_permission_is_told(folder: Path) -> None:
    Path("closed.csv").write_text("a\n1\n")
    Path("closed.csv").chmod(0)
    command = [str(Path(_penstock.__file__).parent / "penstock"), "data", "head", "closed.csv"]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "cannot read 'closed.csv': Permission denied" in done.stderr


def test_a_duckdb_database_is_read_beside_its_writer(folder: Path) -> None:
    import duckdb

    with duckdb.connect("x.duckdb") as connection:
        connection.execute("CREATE TABLE people AS SELECT * FROM 'a.csv'")
    pd.testing.assert_frame_equal(penstock.read("duckdb:///x.duckdb#people").to_pandas(), FRAME)
    assert len(penstock.read(f"duckdb:///{folder}/x.duckdb?query=SELECT id FROM people").to_arrow())
    with pytest.raises(penstock.NotFoundError, match="Did you mean 'people'"):
        penstock.read("duckdb:///x.duckdb#peple")
    with duckdb.connect("x.duckdb") as connection:  # this process holds the file: it must keep it
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        with pytest.raises(penstock.UnavailableError, match="lock"):
            penstock.read("duckdb:///x.duckdb#people")
        connection.execute("INSERT INTO t VALUES (2)")
    with duckdb.connect("x.duckdb") as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)


MAPPED = """
import sqlite3, sys
import penstock
def mapped():
    return int(any("libduckdb" in line for line in open("/proc/self/maps")))
connection = sqlite3.connect("t.db")
connection.execute("CREATE TABLE t AS SELECT 1 AS a")
connection.commit()
told = [mapped()]
penstock.read("sqlite:///t.db#t").to_pandas()
told.append(mapped())
penstock.read("a.csv").to_pandas()
told.append(mapped())
print(*told)
"""


def test_duckdb_is_loaded_by_the_first_file_alone(folder: Path) -> None:
    assert _run(MAPPED) == ["0", "0", "1"]


BESIDE = """
import sys
{first}
{second}
import duckdb, penstock
for _ in range(2):
    ours = penstock.read("a.csv?query=SELECT sum(id) AS s FROM data").to_arrow()["s"][0].as_py()
    theirs = duckdb.sql("SELECT sum(id) FROM 'a.csv'").fetchone()[0]
    print(ours, theirs)
"""
OURS = 'import penstock; penstock.read("a.csv").to_arrow()'
THEIRS = "import duckdb; duckdb.sql('SELECT 1').fetchall()"
GLOBALLY = "import os; sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)"


@pytest.mark.parametrize(
    ("first", "second"),
    [(OURS, THEIRS), (THEIRS, OURS), (f"{GLOBALLY}\n{THEIRS}", OURS)],
    ids=["ours first", "theirs first", "theirs first and global"],
)
def test_it_works_beside_the_python_package_duckdb(folder: Path, first: str, second: str) -> None:
    assert _run(BESIDE.format(first=first, second=second)) == ["6", "6", "6", "6"]


INTERRUPTED = """
import _thread, os, signal, sys, threading, time
import penstock
reader = penstock.read("duckdb:?query=SELECT count(*) AS n FROM range(1000000) a, "
                       "range(1000000) b WHERE a.range + b.range = -1").to_reader()
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    reader.read_next_batch()
except KeyboardInterrupt:
    print("interrupted", penstock.read("a.csv").to_arrow().num_rows, threading.active_count())
"""


def test_ctrl_c_ends_a_read_and_leaves_the_process_well(folder: Path) -> None:
    assert _run(INTERRUPTED)[:2] == ["interrupted", "3"]


def test_the_sites_own_library_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_DUCKDB", "/nowhere/libduckdb.so")
    with pytest.raises(penstock.FailedPreconditionError, match="/nowhere/libduckdb.so"):
        penstock.read("a.csv")


def test_a_dataset_trains_from_files(folder: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    iris = load_iris(as_frame=True).frame
    iris.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "target"]
    Path("data").mkdir()
    iris.iloc[::2].to_parquet("data/even.parquet", index=False)
    iris.iloc[1::2].to_parquet("data/odd.parquet", index=False)
    dataset = penstock.Dataset("iris", source="data/*.parquet", targets=["target"])
    model = penstock.Model("iris", init=lambda: LogisticRegression(max_iter=1000), dataset=dataset)

    @model.trainer
    def train(
        model: LogisticRegression, features: pd.DataFrame, target: pd.DataFrame
    ) -> LogisticRegression:
        return model.fit(features, target.squeeze())

    trained, metrics = model.train()
    assert trained.score(iris.drop(columns="target"), iris["target"]) > 0.9
    assert len(dataset.read()) == 150


def test_the_command_line_shows_head_and_schema(folder: Path) -> None:
    program = [sys.executable, "-m", "penstock", "data"]
    done = subprocess.run(
        [*program, "schema", "a.parquet"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "COLUMN  TYPE\nid      int64\nratio   float64\nname    string\n"
    done = subprocess.run(
        [*program, "head", "a.jsonl.gz", "-n", "2", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == FRAME.head(2).to_dict("records")


def test_an_option_cannot_smuggle_in_a_statement(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    target = tmp_path / "owned"
    smuggled = f"['a']); COPY (SELECT 42) TO '{target}'; SELECT * FROM read_csv('x.csv'"
    with pytest.raises(penstock.PenstockError):
        penstock.read(f"x.csv?names={smuggled}&query=SELECT * FROM data").to_pandas()
    assert not target.exists()


def head(uri: str) -> Any:
    """Return what the command line shows of a source."""
    program = [sys.executable, "-m", "penstock", "data", "head", uri, "--json"]
    return json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("end", ["", ";", "; -- note", ";\n/* it's ; one */\n", " -- note"])
def test_what_stands_behind_a_query_does_not_matter(end: str) -> None:
    # DECIMAL and UUID are cast by a query around the query.
    asked = f"duckdb:?query=SELECT uuid() AS id, 1.5::DECIMAL(4, 2) AS price, ';' AS text {end}"
    (row,) = penstock.read(asked).to_arrow().to_pylist()
    assert (row["price"], row["text"]) == (1.5, ";")


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "DATE"])
def test_infinite_times_are_shown_and_never_become_other_times(kind: str, sign: str) -> None:
    uri = f"duckdb:?query=SELECT t FROM (VALUES ('{sign}infinity'::{kind}), (NULL)) AS rows(t)"
    (row, _) = head(uri)
    assert row == {"t": f"{sign}infinity"}
    table = penstock.read(uri)
    remedy = r"column 't' holds .*(nullif\(t, |CASE WHEN year\(t\))"
    with pytest.raises(penstock.InvalidArgumentError, match=remedy):
        table.to_pandas()
    instead = uri.replace("SELECT t", f"SELECT nullif(t, '{sign}infinity') AS t")
    assert penstock.read(instead).to_pandas()["t"].isna().all()


def test_far_dates_are_shown_and_refused_by_pandas() -> None:
    uri = "duckdb:?query=SELECT '10000-01-01'::DATE AS day"
    assert head(uri) == [{"day": "10000-01-01"}]
    with pytest.raises(penstock.InvalidArgumentError, match="a date beyond the years 1 to 9999"):
        penstock.read(uri).to_pandas()
    last = penstock.read("duckdb:?query=SELECT '9999-12-31'::DATE AS day").to_pandas()
    assert str(last["day"][0]) == "9999-12-31"
