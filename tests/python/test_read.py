"""Reading SQLite into Arrow and pandas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import penstock

FRAME = pd.DataFrame(
    {"id": [1, 2, 2**53 + 1], "ratio": [0.5, None, 1e300], "name": ["é", None, ""]}
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "some data.db"
    with closing(sqlite3.connect(path)) as connection:
        FRAME.to_sql("people", connection, index=False)
        connection.commit()
    return path


def test_a_table_becomes_what_pandas_would_make_of_it(database: Path) -> None:
    table = penstock.read(f"sqlite:///{database}#people")
    pd.testing.assert_frame_equal(table.to_pandas(), FRAME)
    pd.testing.assert_frame_equal(table.to_pandas(), FRAME)  # again: the rows are kept
    assert "3 rows, 3 columns" in repr(table)


def test_a_query_and_a_relative_path(database: Path) -> None:
    table = penstock.read(f"sqlite:///{database.name}?query=SELECT id FROM people WHERE id < 3")
    assert table.to_pandas()["id"].tolist() == [1, 2]


def test_arrow_takes_it(database: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = penstock.read(f"sqlite:///{database}#people")
    assert pyarrow.table(table).column("name").to_pylist() == ["é", None, ""]
    assert table.to_arrow().num_rows == 3


@pytest.mark.parametrize(
    ("uri", "kind", "told"),
    [
        ("sqlite:///nowhere.db#t", penstock.NotFoundError, "nowhere.db"),
        ("sqlite:///some data.db#peeple", penstock.NotFoundError, "people"),
        ("sqlite:///some data.db?query=SELEKT 1", penstock.InvalidArgumentError, "SELEKT"),
        ("nosuch://x", penstock.InvalidArgumentError, "nosuch"),
    ],
)
def test_what_is_not_there_is_told(database: Path, uri: str, kind: type, told: str) -> None:
    with pytest.raises(kind, match=told):
        penstock.read(uri)
