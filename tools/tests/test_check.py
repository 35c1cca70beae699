"""./dev test: what it passes on, what it lets fail, what it writes down."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check  # noqa: E402


def test_system_tests_run_the_release_build_whichever_is_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def run(title: str, command: list[str], **options: Any) -> tuple[int, str]:
        given.update(options)
        return 0, ""

    monkeypatch.setattr(check, "run", run)
    monkeypatch.setattr(check, "REPORTS", tmp_path)
    check.python_tests("system tests", ["tests"], is_long=False)
    assert given["env"] == {"PENSTOCK_TEST_BIN": str(ROOT / "build" / "release" / "bin")}
