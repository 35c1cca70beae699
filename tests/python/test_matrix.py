"""Every model of docs/reference/models.md: the engine that the page tells, and no row differs."""

from __future__ import annotations

import warnings

import pytest
from matrix import ROWS, Row
from threadpoolctl import threadpool_limits

import penstock


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_model_of_the_page(row: Row) -> None:
    X, y = row.data()
    # One thread: the libraries' threads would wait for each other.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = row.model().fit(X, y)
        version = penstock.register(model, X, y, name="m")
    assert version.engine == row.engine, version.engine_reason
    if row.engine != "python":
        assert version.parity.rows == len(X)
        assert version.parity.probes > 0
        assert version.parity.differing == 0
