"""penstock-server is asked to end while slow requests are on its pool."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import packages
import pytest
from servers import SECONDS_MAX, Server, wait_until

REQUESTS, ROWS = 6, 8000


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.slow(tmp_path_factory.mktemp("p") / "slow")


class Asked:
    """Requests that a server is busy with, each from a thread and on a connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answers: list[tuple[int, list[float]]] = []
        self.cut: list[OSError] = []
        self.threads = [threading.Thread(target=self.ask) for _ in range(REQUESTS)]
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.in_flight() == REQUESTS, "all requests wait or run")
        assert self.answers == [], "answered too soon for this machine: raise ROWS"

    def ask(self) -> None:
        try:
            status, _, answer = self.server.predict([[0.0], [1.0]] * (ROWS // 2))
            self.answers.append((status, answer["predictions"]))
        except OSError as error:
            self.cut.append(error)

    def in_flight(self) -> float:
        return self.server.metrics()["penstock_requests_in_flight"]

    def join(self) -> None:
        for thread in self.threads:
            thread.join(SECONDS_MAX)
            assert not thread.is_alive()


def start(package: Path, *flags: str) -> Iterator[Asked]:
    server = Server(package, "--loops", "1", *flags)
    try:
        yield Asked(server)
    finally:
        server.process.kill()
        server.process.communicate()


@pytest.fixture
def asked(slow: Path) -> Iterator[Asked]:
    yield from start(slow, "--drain-notice-ms", "300")


@pytest.fixture
def asked_in_a_hurry(slow: Path) -> Iterator[Asked]:
    yield from start(slow, "--drain-notice-ms", "0", "--drain-ms", "100")


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), SECONDS_MAX).close()
    except ConnectionRefusedError:
        return False
    return True


def test_slow_requests_are_answered_after_the_port_has_closed(asked: Asked) -> None:
    server = asked.server
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.request("GET", "/health/ready")[0] == 503, "it is not ready")
    assert asked.in_flight() > 0
    wait_until(lambda: not is_open(server.port), "the port is closed")
    assert len(asked.answers) < REQUESTS, "answered too soon for this machine: raise ROWS"
    asked.join()
    assert asked.cut == []
    assert asked.answers == [(200, [1.0, 2.0] * (ROWS // 2))] * REQUESTS
    # Not end(): a second signal ends a server at once.
    assert server.process.wait(SECONDS_MAX) == 0


def test_what_is_not_finished_in_time_is_cut_off_and_told(asked_in_a_hurry: Asked) -> None:
    server = asked_in_a_hurry.server
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(SECONDS_MAX) == 11  # DEADLINE_EXCEEDED
    asked_in_a_hurry.join()
    assert len(asked_in_a_hurry.cut) + len(asked_in_a_hurry.answers) == REQUESTS
    assert asked_in_a_hurry.cut
    assert "connections were still open 100 ms after the server began to drain" in server.end()
