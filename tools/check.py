"""./dev test: everything that must pass, stage by stage; the first stage that fails is the last."""

from __future__ import annotations

import datetime
import json
import re
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

FUZZ_SECONDS, FUZZ_SECONDS_LONG = 30, 120
LONG_RESULT = ROOT / "tests" / "long_result.json"
INSTRUCTIONS = ROOT / "bench" / "instructions.py"
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
    counts: bool = True  # what it runs: then running nothing is a failure
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
    if not there:
        raise StepError(f"{title}: none of the folders {', '.join(folders)} is there.")
    report = REPORTS / f"{there[0].replace('/', '-')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [VENV_PYTHON, "-m", "pytest", *there, f"--junitxml={report}", "--durations=10"]
    command += [] if is_long else ["-m", "not long"]
    # Otherwise tests/system/servers.py takes the newest build, which may be one with sanitizers.
    release = {"PENSTOCK_TEST_BIN": str(BUILD / "release" / "bin")}
    code, told = run(title, command, env=release, check=False)
    return settle(junit(report) if report.is_file() else Tally(), code, told)


def run_fuzzers(is_long: bool, results: list[fuzz.Result]) -> Tally:
    """Run every fuzzer, and add what each did to `results`."""
    results += fuzz.run_all(seconds=FUZZ_SECONDS_LONG if is_long else FUZZ_SECONDS)
    passed = sum(result.passed for result in results)
    return Tally(passed, len(results) - passed)


def instructions() -> Tally:
    """Hold the instructions of a request against the budget of every engine."""
    if not INSTRUCTIONS.is_file():
        raise StepError(f"{INSTRUCTIONS.name} is not in bench/; it counts what a request costs.")
    _, told = run("instruction budget", [VENV_PYTHON, INSTRUCTIONS, "--check"])
    print("\n".join(f"    {line}" for line in told.splitlines()))
    counted = re.findall(r"^(\w+) +[\d,]+ instructions a request(  budget )?", told, re.MULTILINE)
    for engine, budget in counted:
        if not budget:
            raise StepError(
                f"bench/instructions.json has no budget for engine '{engine}'; give it one."
            )
    return Tally(len(counted))


def state_of_tree() -> tuple[str, bool]:
    """Return the commit that is checked out, and whether files differ from it."""
    ours = f":!{LONG_RESULT.relative_to(ROOT)}"  # what the last run wrote down is not tested
    changed = capture(["git", "status", "--porcelain", "--", ".", ours])
    return capture(["git", "rev-parse", "HEAD"]), bool(changed)


def write_long_result(before: tuple[str, bool], results: list[fuzz.Result]) -> None:
    """Write down what the long run did, for tests/long_result.json to be committed."""
    commit, has_changes = before
    result = {
        "commit": commit,
        # A tree that changes while the stages run is of no one commit.
        "with_changes": has_changes or state_of_tree() != before,
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
    at = result["commit"][:10] + " with changes" * result["with_changes"]
    return f"long tests: passed {days} days ago at {at}, commits since: {behind}"


def stages(is_long: bool, fuzzed: list[fuzz.Result]) -> list[Stage]:
    """Return the stages in order: what fails soonest first. What fuzzers did comes to `fuzzed`."""
    systems = ["tests", "python"]
    return [
        Stage("set up", prepare, counts=False),
        Stage("lint", run_lint),
        Stage("tests of tools", lambda: python_tests("tests of tools", ["tools/tests"], is_long)),
        Stage("build release", lambda: compile_all("release"), counts=False),
        Stage("unit tests, release", lambda: unit_tests("release")),
        Stage("system tests", lambda: python_tests("python and system tests", systems, is_long)),
        Stage("build asan", lambda: compile_all("asan"), counts=False),
        Stage("unit tests, asan", lambda: unit_tests("asan")),
        Stage("build fuzz", build_fuzzers, counts=False),
        Stage("fuzz", lambda: run_fuzzers(is_long, fuzzed)),
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
    if not reason and stage.tally.failed:
        reason = f"{stage.name}: {stage.tally.failed} failed"
    if not reason and stage.counts and not stage.tally.passed:
        stage.tally.failed, reason = 1, f"{stage.name}: nothing was run"
    return reason


def check(*, is_long: bool) -> int:
    """Run the stages, print a table of them and one line of counts, and return the exit code."""
    total, done, reason = Tally(), [], ""
    before, fuzzed = state_of_tree(), list[fuzz.Result]()
    for stage in stages(is_long, fuzzed):
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
    if is_long and not reason:
        write_long_result(before, fuzzed)
    print(age_of_long_result())
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}", flush=True)
    return 1 if reason else 0
