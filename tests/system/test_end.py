"""penstock-server ends when it is told to, whatever it is doing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import packages
import pytest
from servers import SECONDS_MAX, Server, binary, wait_until

ROWS = [[0.0]] * 20_000  # of packages.slow: many seconds


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the package that takes about a millisecond a row."""
    return packages.slow(tmp_path_factory.mktemp("end") / "slow")


@contextlib.contextmanager
def busy(package: Path, *flags: str) -> Iterator[Server]:
    """Run a server that computes for longer than a test wants to wait."""
    server = Server(package, "--loops", "1", "--drain-notice-ms", "0", *flags)

    def ask() -> None:
        with contextlib.suppress(OSError):
            server.predict(ROWS)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_until(lambda: server.metrics()["penstock_requests_in_flight"] == 1, "it is computing")
        yield server
    finally:
        server.process.kill()
        server.process.communicate()
        asking.join(SECONDS_MAX)


def test_a_job_that_takes_longer_than_drain_ms_does_not_hold_up_the_end(slow: Path) -> None:
    with busy(slow, "--drain-ms", "300") as server:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS_MAX) == 11  # DEADLINE_EXCEEDED
        assert 0.3 <= time.monotonic() - began < 2
        told = server.end()
    assert "not everything was finished" in told
    assert "1 connections were still open 300 ms after the server began to drain" in told


def test_a_second_signal_ends_it_while_a_job_runs(slow: Path) -> None:
    with busy(slow) as server:
        server.process.send_signal(signal.SIGTERM)
        ready = ("GET", "/health/ready")
        wait_until(lambda: server.request(*ready, admin=True)[0] == 503, "it drains")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(2) == 128 + signal.SIGINT


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_model_loads_ends_it(slow: Path, by: signal.Signals) -> None:
    """The signal is there before the program looks, and it looks before it loads."""
    ports = ["--port", "0", "--admin-port", "0"]
    signal.pthread_sigmask(signal.SIG_BLOCK, [by])
    try:
        process = subprocess.Popen(
            [binary(), slow, "--as", "p@1", *ports],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [by])
    process.send_signal(by)
    announced, told = process.communicate(timeout=SECONDS_MAX)
    assert (process.returncode, announced, told) == (128 + by, "", "")
