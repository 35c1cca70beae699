"""Many processes register at once: every one gets versions of its own, and nothing is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import penstock

PROCESSES, REGISTRATIONS = 8, 1000
SECONDS_MAX = 1800

# Every process has models of its own and, every fourth time, one that all others register too.
CHILD = """
import sys
import numpy as np
from sklearn.linear_model import LinearRegression
import penstock

process, registrations = int(sys.argv[1]), int(sys.argv[2])
X = np.arange(4.0).reshape(2, 2)
model = LinearRegression().fit(X, [0.0, 1.0])
print("ready", flush=True)
sys.stdin.readline()
told = []
for i in range(registrations):
    model.intercept_ = 0.5 if i % 4 == 0 else float(process * registrations + i)
    version = penstock.register(model, X, name="shared", engine="own")
    assert abs(version.predict(X)[0] - model.predict(X)[0]) < 1e-9
    told.append(f"{version.version} {version.digest}")
print("\\n".join(told))
"""


@contextlib.contextmanager
def registering(processes: int, registrations: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Let processes register, all at once."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(process), str(registrations)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        yield children
    finally:
        for child in children:
            child.kill()
            child.communicate()


def register_at_once(processes: int, registrations: int) -> list[tuple[int, str]]:
    """Return the version and the digest that each registration was told."""
    told = []
    with registering(processes, registrations) as children:
        for child in children:
            out, complaints = child.communicate(timeout=SECONDS_MAX)
            assert child.returncode == 0, complaints
            assert complaints == ""
            lines = out.splitlines()
            assert len(lines) == registrations
            told += [(int(version), digest) for version, digest in map(str.split, lines)]
    return told


def check_registry(home: Path, told: list[tuple[int, str]]) -> None:
    """Hold the registry against what the processes were told."""
    with closing(sqlite3.connect(f"file:{home}/registry.db?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = database.execute("SELECT version, package FROM versions").fetchall()
    assert sorted(version for version, _ in told) == list(range(1, len(told) + 1))
    assert sorted(kept) == sorted(told)
    doctor = [sys.executable, "-m", "penstock", "doctor"]
    assert subprocess.run(doctor, capture_output=True, timeout=SECONDS_MAX).returncode == 0


def test_processes_that_register_at_once_get_versions_of_their_own(home: Path) -> None:
    check_registry(home, register_at_once(4, 10))


@pytest.mark.long
def test_eight_processes_register_a_thousand_versions_each(home: Path) -> None:
    told = register_at_once(PROCESSES, REGISTRATIONS)
    check_registry(home, told)
    newest = penstock.load("shared")
    assert (newest.version, newest.digest) == max(told)


def test_who_only_reads_makes_no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for read in (lambda: penstock.load("x", home="~/none"), lambda: penstock.models(home="~/none")):
        with pytest.raises(penstock.NotFoundError, match=f"no folder '{tmp_path}/none'"):
            read()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
