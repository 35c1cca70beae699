"""Reading a SQLite file must not cost this process the locks it holds on the file.

POSIX drops every lock of a process on a file when the process closes any descriptor of it: a second
SQLite in the process would let another process write in the middle of a transaction, whose commit
then overwrites what was written.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import penstock

INSERT_ELSEWHERE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0) as connection:
    connection.execute("INSERT INTO t VALUES (99)")
"""


def insert_elsewhere(path: Path) -> str:
    """Insert a row from another process; return "" or what stopped it."""
    done = subprocess.run(
        [sys.executable, "-c", INSERT_ELSEWHERE, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


@pytest.fixture(params=["delete", "wal"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={request.param}")
        connection.execute("CREATE TABLE t(i INTEGER)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
    return path


@pytest.fixture
def ours(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection


def rows(database: Path) -> list[int]:
    return penstock.read(f"sqlite:///{database}#t").to_pandas()["i"].tolist()


def test_an_open_transaction_keeps_its_lock(database: Path, ours: sqlite3.Connection) -> None:
    ours.execute("BEGIN IMMEDIATE")
    ours.execute("INSERT INTO t VALUES (2)")
    assert rows(database) == [1]
    assert "database is locked" in insert_elsewhere(database)
    ours.execute("COMMIT")
    assert insert_elsewhere(database) == ""
    assert rows(database) == [1, 2, 99]
    assert ours.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_no_row_of_another_process_is_lost(database: Path, ours: sqlite3.Connection) -> None:
    for i in range(5):
        ours.execute("BEGIN IMMEDIATE")
        ours.execute("INSERT INTO t VALUES (?)", (i,))
        rows(database)
        ours.execute("COMMIT")
        assert insert_elsewhere(database) == ""
    assert len(rows(database)) == 11


def test_penstocks_own_registry_is_no_source(home: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "penstock", "models", "list"],
        timeout=60,
        check=True,
        capture_output=True,
    )
    before = (home / "registry.db").read_bytes()
    with pytest.raises(penstock.FailedPreconditionError, match="Penstock's own registry"):
        penstock.read(f"sqlite:///{home}/registry.db?query=SELECT * FROM sqlite_schema")
    assert (home / "registry.db").read_bytes() == before


def test_a_row_that_does_not_fit_raises_and_gives_nothing(
    database: Path, ours: sqlite3.Connection
) -> None:
    ours.execute("BEGIN")
    ours.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(100_000)])
    ours.execute("INSERT INTO t VALUES ('late')")
    ours.execute("COMMIT")
    with pytest.raises(penstock.InvalidArgumentError, match="row 100002 holds the text 'late'"):
        penstock.read(f"sqlite:///{database}#t").to_pandas()
