"""Build the libFuzzer targets and run each for a given time.

Seeds lie in src/FOLDER/testdata/fuzz/NAME_fuzz/, a dictionary in NAME_fuzz.dict beside that folder;
what a run finds to be new stays in build/fuzz/corpus, a crash in build/fuzz/crashes.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import build as building
from steps import BUILD, ROOT, StepError, run_into, step

FUZZ = BUILD / "fuzz"
INPUT_SECONDS_MAX = 10
MEMORY_MB_MAX = 2048
FAILURE_LINES_MAX = 40


@dataclass(frozen=True)
class Result:
    """What one fuzzer did."""

    name: str
    passed: bool
    seconds: int
    executions: int
    told: str


def build() -> None:
    """Compile the fuzzers with Clang."""
    building.configure("fuzz")
    building.compile_preset("fuzz", ["fuzzers"])


def fuzzers() -> list[Path]:
    """Return the programs that are fuzzers: FOLDER_NAME_fuzz for src/FOLDER/NAME_fuzz.cc."""
    return sorted((FUZZ / "bin").glob("*_fuzz"))


def source_of(fuzzer: Path) -> Path:
    """Return the source that a fuzzer was made from."""
    for source in (ROOT / "src").glob("*/*_fuzz.cc"):
        if f"{source.parent.name}_{source.stem}" == fuzzer.name:
            return source
    raise StepError(f"build/fuzz/bin/{fuzzer.name} has no source any more; ./dev clean removes it.")


def run_one(fuzzer: Path, seconds: int) -> Result:
    """Run a fuzzer for some seconds."""
    source = source_of(fuzzer)
    seeds = source.parent / "testdata" / "fuzz" / source.stem
    corpus, crashes = FUZZ / "corpus" / fuzzer.name, FUZZ / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS_MAX}",
        "-print_final_stats=1",
    ]
    options += [f"-rss_limit_mb={MEMORY_MB_MAX}", f"-artifact_prefix={crashes}/{fuzzer.name}-"]
    if seeds.with_suffix(".dict").is_file():
        options.append(f"-dict={seeds.with_suffix('.dict')}")
    folders = [corpus, *([seeds] if seeds.is_dir() else [])]
    log = FUZZ / f"{fuzzer.name}.txt"
    code = run_into(log, [fuzzer, *options, *folders], env=None, cwd=FUZZ)
    told = log.read_text(errors="replace")
    found = re.search(r"stat::number_of_executed_units: *(\d+)", told)
    executions = int(found[1]) if found else 0
    return Result(fuzzer.name, code == 0 and executions > 0, seconds, executions, told)


def run_all(*, seconds: int, only: str | None = None) -> list[Result]:
    """Run the fuzzers, as many at a time as there are cores, and print what each did."""
    known = fuzzers()
    if not known:
        raise StepError("build/fuzz/bin has no fuzzer; ./dev fuzz builds them: see build/log.")
    chosen = [f for f in known if only in (None, f.name, f.name.removesuffix("_fuzz"))]
    if not chosen:
        names = ", ".join(f.name for f in known)
        raise StepError(f"fuzzer '{only}' is not known; there are: {names}.")
    with (
        step(f"{len(chosen)} fuzzers, {seconds} s each"),
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        results = list(pool.map(lambda fuzzer: run_one(fuzzer, seconds), chosen))
    for result in results:
        word = "passed" if result.passed else "FAILED"
        print(f"    {result.name:<40} {word}, {result.executions:,} inputs")
        if not result.passed:
            print(
                "\n".join(f"      {line}" for line in result.told.splitlines()[-FAILURE_LINES_MAX:])
            )
    return results
