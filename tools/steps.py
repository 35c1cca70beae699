"""What every command of ./dev is made of: one line a step, with its time, and a log to read when a
step fails.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOGS = BUILD / "log"
LOG_LINES_MAX = 80


class StepError(Exception):
    """A step failed; the message says what to do about it."""


def hold(folder: Path) -> None:
    """Hold the builds and logs in `folder` until this process ends: two commands at once would
    write over each other's.

    Raises
    ------
    StepError
        When another command holds them; the message names its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)  # the kernel closes it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode()
        os.close(lock)
        raise StepError(
            f"process {holder} works in {folder} already, and two would write over each other's "
            "builds and logs: wait until it is done, or end it."
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title of a step before it runs and its time after it."""
    print(f"  {title:<70}", end="", flush=True)
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        print("  failed", flush=True)
        raise
    print(f"{time.monotonic() - begin:8.1f} s", flush=True)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a tool: ours without the settings of a Python that happens to be
    active.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    return kept | dict(extra or {})


def run(
    title: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    check: bool = True,
) -> tuple[int, str]:
    """Run a command as one step and return its exit code and what it printed, which also stays in
    build/log.

    Raises
    ------
    StepError
        When the command fails and `check` is set; what it printed last is shown.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".txt")
    with step(title):
        code = run_into(log, command, env=env, cwd=cwd)
        output = log.read_text(errors="replace")
        if code != 0 and check:
            raise StepError(failure(title, code, output, log))
    return code, output


def run_into(
    log: Path, command: Sequence[str | Path], *, env: Mapping[str, str] | None, cwd: Path
) -> int:
    """Run a command with its output in `log` and return its exit code; 127 when there is no such
    program.
    """
    with log.open("wb") as out:
        try:
            return subprocess.run(
                [str(word) for word in command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment(env),
                cwd=cwd,
                check=False,
            ).returncode
        except FileNotFoundError as error:
            out.write(f"{error}\n".encode())
            return 127


def failure(title: str, code: int, output: str, log: Path) -> str:
    """Say how a step failed, with the end of what it printed."""
    lines = output.splitlines()[-LOG_LINES_MAX:]
    shown = "\n".join(f"    {line}" for line in lines)
    return f"{title}: exit code {code}; all of it is in {log.relative_to(ROOT)}\n{shown}"


def capture(command: Sequence[str | Path]) -> str:
    """Return what a command prints, or nothing when it fails."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def fail(message: str) -> int:
    """Print an error the way every command does and return its exit code."""
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr)
    return 1
