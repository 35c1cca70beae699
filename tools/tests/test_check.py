"""./dev test: what it passes on, what it lets fail, what it writes down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check  # noqa: E402
import fuzz  # noqa: E402
from steps import StepError  # noqa: E402

FUZZED = fuzz.Result("json_text_fuzz", passed=True, seconds=300, executions=7, told="")


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the long result is written, in a clean tree of commit 0123456789ab."""
    path = tmp_path / "long_result.json"
    monkeypatch.setattr(check, "LONG_RESULT", path)
    monkeypatch.setattr(check, "state_of_tree", lambda: ("0123456789ab", False))
    return path


def run_stages(
    monkeypatch: pytest.MonkeyPatch, *works: Callable[[], check.Tally], is_long: bool = True
) -> int:
    """Run ./dev test with these stages after one that fuzzes."""

    def stages(is_long: bool, fuzzed: list[fuzz.Result]) -> list[check.Stage]:
        def work() -> check.Tally:
            fuzzed.append(FUZZED)
            return check.Tally(passed=1)

        return [check.Stage("fuzz", work), *(check.Stage("later", later) for later in works)]

    monkeypatch.setattr(check, "stages", stages)
    return check.check(is_long=is_long)


def fails() -> check.Tally:
    raise StepError("on purpose")


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


def test_a_long_run_is_written_down_when_every_stage_passed(
    result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_stages(monkeypatch, lambda: check.Tally(passed=2)) == 0
    written = json.loads(result.read_text())
    assert written["commit"] == "0123456789ab"
    assert written["with_changes"] is False
    assert written["fuzzers"] == {"json_text_fuzz": {"seconds": 300, "inputs": 7}}
    told = capsys.readouterr().out
    assert "long tests: passed 0 days ago at 0123456789, commits since: " in told
    assert told.endswith("\n3 passed, 0 failed\n")


@pytest.mark.parametrize(
    "work",
    [fails, lambda: check.Tally(passed=5, failed=1)],
    ids=["a step that fails", "a test that fails"],
)
def test_a_long_run_that_fails_after_the_fuzzers_is_not_written_down(
    result: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[], check.Tally]
) -> None:
    assert run_stages(monkeypatch, work) == 1
    assert not result.exists()


def test_a_short_run_is_not_written_down(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_stages(monkeypatch, is_long=False) == 0
    assert not result.exists()


def test_a_long_run_with_changes_says_so(
    result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trees = iter([("0123456789ab", False), ("0123456789ab", True)])
    monkeypatch.setattr(check, "state_of_tree", lambda: next(trees))
    assert run_stages(monkeypatch) == 0
    assert json.loads(result.read_text())["with_changes"] is True
    assert "at 0123456789 with changes, commits since: " in capsys.readouterr().out


def test_a_stage_that_runs_nothing_fails(
    result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_stages(monkeypatch, lambda: check.Tally(skipped=3)) == 1
    told = capsys.readouterr()
    assert "error: later: nothing was run" in told.err
    assert told.out.endswith("\n1 passed, 1 failed, 3 skipped\n")
    assert not result.exists()


def test_only_what_builds_and_sets_up_may_count_nothing() -> None:
    silent = [stage.name for stage in check.stages(False, []) if not stage.counts]
    assert silent == ["set up", "build release", "build asan", "build fuzz"]


def test_folders_without_tests_are_refused() -> None:
    with pytest.raises(StepError, match="tests of nothing: none of the folders nowhere is there"):
        check.python_tests("tests of nothing", ["nowhere"], is_long=False)


def test_no_fuzzer_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "FUZZ", tmp_path)
    with pytest.raises(StepError, match="has no fuzzer"):
        fuzz.run_all(seconds=1)


def test_a_missing_count_of_instructions_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "INSTRUCTIONS", tmp_path / "instructions.py")
    with pytest.raises(StepError, match=r"instructions\.py is not in bench/"):
        check.instructions()


@pytest.mark.parametrize("has_budget", [True, False])
def test_every_engine_needs_a_budget_of_instructions(
    monkeypatch: pytest.MonkeyPatch, has_budget: bool
) -> None:
    budget = "  budget 74,000  ok" * has_budget
    told = (
        "own            28,814 instructions a request  budget 31,000  ok\n"
        f"onnxruntime    70,001 instructions a request{budget}\n"
    )
    monkeypatch.setattr(check, "run", lambda *_: (0, told))
    if has_budget:
        assert check.instructions() == check.Tally(passed=2)
        return
    with pytest.raises(StepError, match="no budget for engine 'onnxruntime'"):
        check.instructions()


def test_seeds_and_dictionaries_are_those_of_a_fuzzer() -> None:
    given = sorted((ROOT / "src").glob("*/testdata/fuzz/*"))
    assert given
    unused = [path for path in given if not (path.parents[2] / f"{path.stem}.cc").is_file()]
    assert unused == []
