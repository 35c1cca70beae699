"""A package and a server that many tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import packages  # noqa: E402
from servers import Server, serving  # noqa: E402


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression on named columns: 2 x age + 0.5 x income + 1."""
    inputs = [
        packages.column("age", "int64"),
        packages.column(
            "income",
            abs_max={
                "value": 1e9,
                "refused_by_original": False,
                "reason": "beyond 1e9 it was not checked",
            },
        ),
    ]
    return packages.linear(tmp_path_factory.mktemp("p") / "house", [2.0, 0.5], 1.0, inputs=inputs)


@pytest.fixture(scope="module")
def server(house: Path) -> Iterator[Server]:
    with serving(house, "--loops", "2", spec="house@3") as running:
        yield running
