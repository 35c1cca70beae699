"""./dev test: everything that must pass, stage by stage; the first stage that fails is the last."""

from __future__ import annotations

import datetime
import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import build
import fuzz
import lint
from setup import setup
from steps import BUILD, ROOT, VENV_PYTHON, StepError, capture, fail, run

FUZZ_SECONDS, FUZZ_SECONDS_LONG = 30, 300
LONG_RESULT = ROOT / "tests" / "long_result.json"
REPORTS = BUILD / "report"
FAILURE_LINES_MAX = 200


@dataclass
class Tally:
    """How many checks and test cases ran, and how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Tally) -> None:
        """Add the counts of `other`."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


@dataclass
class Stage:
    """One stage, and what came of it."""

    name: str
    work: Callable[[], Tally]
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0


def prepare() -> Tally:
    """Install what is missing, and configure: what breaks the layer table fails here."""
    setup({"test"})
    build.configure("release")
    return Tally()


def run_lint() -> Tally:
    """Run every check that reads the sources."""
    failed = lint.lint()
    return Tally(len(lint.CHECKS) - failed, failed)


def compile_all(preset: str) -> Tally:
    """Build a preset with its tests, and tell how long the slowest sources took."""
    build.configure(preset)
    build.compile_preset(preset)
    build.tell_slowest(preset)
    if preset == "release":
        build.wire()
    return Tally()


def build_fuzzers() -> Tally:
    """Build the fuzzers and what they use, with Clang."""
    build.configure("fuzz")
    build.compile_preset("fuzz", ["fuzzers"])
    return Tally()


def junit(path: Path) -> Tally:
    """Count the cases of a JUnit report, as GoogleTest and pytest write it."""
    tally = Tally()
    for case in ET.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed += 1
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            tally.skipped += 1
        else:
            tally.passed += 1
    return tally


def unit_tests(preset: str) -> Tally:
    """Run the unit tests of a preset."""
    reports = REPORTS / preset
    reports.mkdir(parents=True, exist_ok=True)
    for old in reports.glob("*.xml"):
        old.unlink()
    command = [
        "ctest",
        "--test-dir",
        BUILD / preset,
        "--output-on-failure",
        "--no-tests=error",
        "-j2",
    ]
    code, told = run(
        f"unit tests, {preset}", command, env={"GTEST_OUTPUT": f"xml:{reports}/"}, check=False
    )
    tally = Tally()
    for report in reports.glob("*.xml"):
        tally.add(junit(report))
    return settle(tally, code, told)


def settle(tally: Tally, code: int, told: str) -> Tally:
    """Show what failed; a runner that fails without a failed case (a crash) counts as one."""
    if code != 0:
        tally.failed = max(tally.failed, 1)
        print("\n".join(f"    {line}" for line in told.splitlines()[-FAILURE_LINES_MAX:]))
    return tally


def python_tests(title: str, folders: list[str], is_long: bool) -> Tally:
    """Run the tests that pytest finds in those of `folders` that exist."""
    there = [folder for folder in folders if (ROOT / folder).is_dir()]
    report = REPORTS / f"{there[0].replace('/', '-')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [VENV_PYTHON, "-m", "pytest", *there, f"--junitxml={report}", "--durations=10"]
    command += [] if is_long else ["-m", "not long"]
    # Otherwise tests/system/servers.py takes the newest build, which may be one with sanitizers.
    release = {"PENSTOCK_TEST_BIN": str(BUILD / "release" / "bin")}
    code, told = run(title, command, env=release, check=False)
    return settle(junit(report) if report.is_file() else Tally(), code, told)


def run_fuzzers(is_long: bool) -> Tally:
    """Run every fuzzer."""
    results = fuzz.run_all(seconds=FUZZ_SECONDS_LONG if is_long else FUZZ_SECONDS)
    passed = sum(result.passed for result in results)
    if is_long and passed == len(results):
        write_long_result(results)
    return Tally(passed, len(results) - passed)


def instructions() -> Tally:
    """Hold the instructions of a request against the budget."""
    script = ROOT / "bench" / "instructions.py"
    if not script.is_file():
        return Tally()
    _, told = run("instruction budget", [VENV_PYTHON, script, "--check"])
    print("\n".join(f"    {line}" for line in told.splitlines()))
    return Tally(1)


def write_long_result(results: list[fuzz.Result]) -> None:
    """Write down what the long run did, for tests/long_result.json to be committed."""
    changed = capture(["git", "status", "--porcelain", "--untracked-files=no"])
    result = {
        "commit": capture(["git", "rev-parse", "HEAD"]),
        "with_changes": bool(changed),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "fuzzers": {r.name: {"seconds": r.seconds, "inputs": r.executions} for r in results},
    }
    LONG_RESULT.parent.mkdir(exist_ok=True)
    LONG_RESULT.write_text(json.dumps(result, indent=2) + "\n")


def age_of_long_result() -> str:
    """Say when the long tests last passed."""
    if not LONG_RESULT.is_file():
        return "long tests: never passed; run ./dev test --long"
    result = json.loads(LONG_RESULT.read_text())
    days = (
        datetime.datetime.now(datetime.UTC).date() - datetime.date.fromisoformat(result["date"])
    ).days
    behind = capture(["git", "rev-list", "--count", f"{result['commit']}..HEAD"]) or "unknown"
    return f"long tests: passed {days} days ago at {result['commit'][:10]}, commits since: {behind}"


def stages(is_long: bool) -> list[Stage]:
    """Return the stages in order: what fails soonest first."""
    systems = ["tests", "python"]
    return [
        Stage("set up", prepare),
        Stage("lint", run_lint),
        Stage("tests of tools", lambda: python_tests("tests of tools", ["tools/tests"], is_long)),
        Stage("build release", lambda: compile_all("release")),
        Stage("unit tests, release", lambda: unit_tests("release")),
        Stage("system tests", lambda: python_tests("python and system tests", systems, is_long)),
        Stage("build asan", lambda: compile_all("asan")),
        Stage("unit tests, asan", lambda: unit_tests("asan")),
        Stage("build fuzz", build_fuzzers),
        Stage("fuzz", lambda: run_fuzzers(is_long)),
        Stage("instructions", instructions),
    ]


def run_stage(stage: Stage) -> str:
    """Run a stage and return why it failed, or nothing."""
    print(stage.name, flush=True)
    begin = time.monotonic()
    reason = ""
    try:
        stage.tally = stage.work()
    except StepError as error:
        stage.tally, reason = Tally(failed=1), str(error)
    stage.seconds = time.monotonic() - begin
    return reason or (f"{stage.name}: {stage.tally.failed} failed" if stage.tally.failed else "")


def check(*, is_long: bool) -> int:
    """Run the stages, print a table of them and one line of counts, and return the exit code."""
    total, done, reason = Tally(), [], ""
    for stage in stages(is_long):
        reason = run_stage(stage)
        total.add(stage.tally)
        done.append(stage)
        if reason:
            fail(reason)
            break
    print(f"\n{'stage':<24}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>10}")
    for stage in done:
        tally = stage.tally
        counts = f"{tally.passed:>8}{tally.failed:>8}{tally.skipped:>9}"
        print(f"{stage.name:<24}{counts}{stage.seconds:>8.1f} s")
    print(f"{'all':<24}{'':>25}{sum(stage.seconds for stage in done):>8.1f} s")
    print(age_of_long_result())
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}", flush=True)
    return 1 if reason else 0
