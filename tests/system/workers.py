"""Asking a server of the troubled model, and looking at its workers."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from servers import SECONDS_MAX, Server, wait_until

ROW = {"x": 1.0, "n": 3, "plan": "basic", "is_new": True, "small": 0.5, "do": None}


def rows(count: int) -> pd.DataFrame:
    """Return rows with numbers, integers, text, booleans and gaps."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "x": random.normal(size=count),
            "n": random.integers(-30, 30, count),
            "plan": random.choice(["basic", "é ü", "", "other"], count),
            "is_new": random.random(count) < 0.5,
            "small": random.normal(size=count).astype(np.float32),
            "do": pd.Series([None] * (count - 1) + [""], dtype=object),
        }
    )
    frame.loc[::5, "x"] = np.nan
    frame.loc[::7, "plan"] = None
    return frame


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as a request has them: null where a value is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_dict("records")


def ask(server: Server, do: str | None = None) -> tuple[int, dict[str, str], Any]:
    """Ask for one row, which orders something."""
    return server.predict([ROW | {"do": do}])


def assert_serves(server: Server) -> None:
    """Assert that every worker answers, those that are started again too."""
    status, _, answer = ask(server)
    assert (status, answer.get("predictions")) == (200, ["high"]), answer


def ready(server: Server) -> tuple[int, Any]:
    """Return what /health/ready answers."""
    status, _, answer = server.request("GET", "/health/ready")
    return status, answer


def workers_of(server: Server) -> set[int]:
    """Return the processes that the server has started and that still run."""
    found = set()
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if is_running(pid)}


def wait_for_workers(server: Server, count: int) -> None:
    """Read the log until so many workers are ready."""
    while count > 0:
        count -= "a worker is ready" in next_line(server)


def wait_for_line(server: Server, text: str) -> str:
    """Read the log until a line holds a text, and return that line."""
    while True:
        line = next_line(server)
        if text in line:
            return line


def next_line(server: Server) -> str:
    """Read a line of the log."""
    assert server.process.stderr is not None
    line = server.process.stderr.readline()
    assert line, "the server has ended"
    return line


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


class Waiting:
    """A call that a worker is busy with until it is let go."""

    def __init__(self, server: Server, path: Path) -> None:
        self.path = path
        self.answer: tuple[int, dict[str, str], Any] | None = None
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._ask, args=(server,))
        self.thread.start()
        began = Path(f"{path}.began")
        wait_until(began.exists, "the call has begun")
        self.worker = int(began.read_text())

    def _ask(self, server: Server) -> None:
        try:
            self.answer = ask(server, f"wait:{self.path}")
        except OSError as error:
            self.error = error

    def result(self, *, let_go: bool = True) -> tuple[int, dict[str, str], Any]:
        """Let it go, and return what was answered."""
        if let_go:
            self.path.touch()
        self.thread.join(SECONDS_MAX)
        assert self.answer is not None, self.error
        return self.answer
