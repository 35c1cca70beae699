"""penstock-server as a process: flags, start, signals, load."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import packages
import pytest
from servers import SECONDS_MAX, Server, binary, serving, wait_until

# Libraries that a server must not need.
HEAVY = re.compile("python|duckdb|sqlite|libpq|libonnxruntime", re.IGNORECASE)


def run(*arguments: str) -> tuple[int, str]:
    """Run a server that is expected to end by itself."""
    done = subprocess.run(
        [binary(), *arguments], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "PACKAGE"),
        (["{house}"], 2, "--as is missing"),
        (
            ["{house}", "--as", "house"],
            2,
            "--as is 'house', which has no name and version; NAME@N was expected",
        ),
        (["{house}", "--as", "house@0"], 2, "not a whole number from 1 on"),
        (["{house}", "--as", "a/b@1"], 2, "must not"),
        (["{house}", "--as", "h@1", "--prot", "1"], 2, "Did you mean '--port'?"),
        (["{house}", "--as", "h@1", "--port", "70000"], 2, "70000"),
        (["{house}", "--as", "h@1", "--loops", "x"], 2, "x"),
        (["{house}", "--as", "h@1", "--until-eof", "99"], 2, "no open file descriptor"),
        (["{house}", "--as", "h@1", "--beyond-limits", "no"], 2, "no"),
        (["/nowhere", "--as", "h@1"], 3, "there is no package at '/nowhere'"),
    ],
)
def test_what_bad_flags_get(house: Path, arguments: list[str], code: int, sentence: str) -> None:
    filled = [argument.format(house=house) for argument in arguments]
    got, told = run(
        *filled,
        *(["--admin-port", "0"] if "/nowhere" in filled else []),
        *([] if "--port" in filled or not filled else ["--port", "0"]),
    )
    assert told.startswith("penstock-server: ")
    assert sentence in told
    assert got == code


def test_a_flipped_bit_and_a_newer_package_are_refused(house: Path, tmp_path: Path) -> None:
    package = packages.linear(tmp_path / "p", [1.0], 0.0)
    damaged = package / "evaluator.safetensors"
    raw = bytearray(damaged.read_bytes())
    raw[-1] ^= 1
    damaged.write_bytes(raw)
    ports = ["--port", "0", "--admin-port", "0"]
    code, told = run(str(package), "--as", "p@1", *ports)
    assert code == 10
    assert "evaluator.safetensors" in told
    assert "was changed" in told
    newer = packages.linear(tmp_path / "n", [1.0], 0.0, format=9, reader_min=9)
    code, told = run(str(newer), "--as", "p@1", *ports)
    assert code == 7
    assert "newer Penstock" in told


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_a_port_in_use_is_told_with_the_flag_that_sets_it(house: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = {"--port": "0", "--admin-port": "0", flag: port}
        words = [word for pair in flags.items() for word in pair]
        code, told = run(str(house), "--as", "h@1", *words)
    assert code == 4
    assert f"port {port} on 127.0.0.1 is in use: choose another with {flag}, or stop" in told


def test_text_announcement_help_and_version(house: Path) -> None:
    process = subprocess.Popen(
        [binary(), house, "--as", "house@3", "--port", "0", "--admin-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert re.fullmatch(
        r"house@3 on http://127.0.0.1:\d+ \(metrics: http://127.0.0.1:\d+/metrics\)\n",
        process.stdout.readline(),
    )
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, told
    assert subprocess.run(
        [binary(), "--version"], capture_output=True, text=True, check=True
    ).stdout.startswith("penstock-server ")
    assert (
        "--batch-rows-max"
        in subprocess.run([binary(), "--help"], capture_output=True, text=True, check=True).stdout
    )


def test_log_records_are_json_on_request(house: Path) -> None:
    with serving(house, "--log-json", spec="house@3") as running:
        told = running.end()
    records = [json.loads(line) for line in told.splitlines()]
    assert [record["message"] for record in records] == ["serving", "draining", "stopped"]
    assert records[0]["model"] == "house"


def test_the_end_of_the_owners_pipe_ends_the_server(house: Path) -> None:
    reader, writer = os.pipe()
    with serving(house, "--until-eof", "0", stdin=reader) as running:
        os.close(reader)
        assert running.predict([[1, 1]])[0] == 200
        os.write(writer, b"ignored")
        assert running.predict([[1, 1]])[0] == 200
        os.close(writer)
        assert running.process.wait(SECONDS_MAX) == 0
        running.process.communicate()


class Client(threading.Thread):
    """Asks again and again, on connections that it keeps, until the port is closed."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.answered = 0
        self.failed: list[str] = []
        self.is_stopping = False

    def run(self) -> None:
        body = b'{"features":[[1,10]]}'
        head = (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n"
        )
        while not self.is_stopping:
            try:
                connection = socket.create_connection(("127.0.0.1", self.server.port), SECONDS_MAX)
            except ConnectionRefusedError:
                return
            with connection:
                self.ask(connection, head % len(body) + body)

    def ask(self, connection: socket.socket, request: bytes) -> None:
        while not self.is_stopping:
            received = b""
            try:
                connection.sendall(request)
                while b"predictions" not in received:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    received += chunk
            except OSError as error:
                self.failed.append(repr(error))
                return
            if not received.startswith(b"HTTP/1.1 200 "):
                self.failed.append(f"got {received[:80]!r}")
                return
            self.answered += 1
            if b"\r\nConnection: close\r\n" in received:
                return


def test_draining_under_load_loses_no_request(house: Path) -> None:
    server = Server(house, "--drain-notice-ms", "300", "--loops", "2")
    clients = [Client(server) for _ in range(8)]
    for client in clients:
        client.start()
    wait_until(lambda: all(client.answered > 20 for client in clients), "every client was answered")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.request("GET", "/health/ready")[0] == 503, "it is not ready any more")
    status, _, problem = server.request("GET", "/health/ready")
    assert "shutting down" in problem["detail"]
    assert server.request("GET", "/health/live")[0] == 200
    assert server.predict([[1, 10]])[0] == 200
    for client in clients:
        client.join(SECONDS_MAX)
    told = server.end()
    assert server.process.returncode == 0, told
    assert [failure for client in clients for failure in client.failed] == []


def test_a_second_signal_ends_it_at_once(house: Path) -> None:
    server = Server(house, "--drain-notice-ms", "60000")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.request("GET", "/health/ready")[0] == 503, "it drains")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 128 + signal.SIGTERM
    server.process.communicate()


def test_a_slow_model_does_not_hold_up_its_loop_and_a_full_queue_says_so(tmp_path: Path) -> None:
    package = packages.slow(tmp_path / "slow")
    with serving(package, "--loops", "1", "--queue-requests-max", "2") as running:
        status, _, answer = running.predict([[0.0], [1.0]])
        assert (status, answer["predictions"]) == (200, [1.0, 2.0])
        busy = [[0.0]] * 400
        statuses: list[tuple[int, dict[str, str]]] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(running.predict(busy)[:2]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        wait_until(
            lambda: running.metrics()["penstock_requests_in_flight"] > 0 or len(statuses) == 8,
            "one is running",
        )
        began = time.monotonic()
        assert running.request("GET", "/health/live")[0] == 200
        assert time.monotonic() - began < 1
        for thread in threads:
            thread.join(SECONDS_MAX)
    assert {status for status, _ in statuses} == {200, 503}
    assert all(headers["retry-after"] == "1" for status, headers in statuses if status == 503)


def test_it_may_open_a_file_descriptor_for_everything_it_may_hold(house: Path) -> None:
    """connections_max, 256 that are refused, three for each loop and the admin port's, 64 more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with serving(house, "--connections-max", "700", "--loops", "5") as running:
            allowed, _ = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert allowed == 700 + 256 + 3 * 6 + 64


def test_starts_quickly_and_stays_small(house: Path) -> None:
    """The bars: ready within 20 ms (printed: machines are busy), 15 MB resident."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        with serving(house, "--loops", "2") as running:
            assert running.request("GET", "/health/ready")[0] == 200
            times.append((time.monotonic() - began) * 1000)
            for _ in range(200):
                running.predict([[1, 1]])
            resident = running.metrics()["process_resident_memory_bytes"] / 1e6
    print(f"exec to ready: {min(times):.1f} ms; resident: {resident:.1f} MB")
    assert resident < 15


def test_holds_no_sqlite() -> None:
    """SQLite is linked statically, so only the program's own bytes can tell."""
    starts_every_database = b"SQLite format 3\0"
    assert starts_every_database in binary().with_name("penstock").read_bytes()
    assert starts_every_database not in binary().read_bytes()


def mapped(server: Server) -> set[str]:
    """Return the names of the files in the memory of a server."""
    lines = Path(f"/proc/{server.process.pid}/maps").read_text().splitlines()
    return {Path(line.split(maxsplit=5)[5]).name for line in lines if "/" in line}


@pytest.mark.parametrize(
    ("write", "brings"),
    [(packages.linear, set()), (packages.onnx_linear, {"libonnxruntime"})],
)
def test_has_neither_python_nor_sql_in_memory_while_it_answers(
    tmp_path: Path, write: Callable[..., Path], brings: set[str]
) -> None:
    with serving(write(tmp_path / "p", [2.0, 0.5], 1.0), "--loops", "2") as running:
        assert running.predict([[1, 10]])[2]["predictions"] == [8.0]
        clients = [Client(running) for _ in range(4)]
        for client in clients:
            client.start()
        wait_until(lambda: all(client.answered > 20 for client in clients), "all are answered")
        before = [client.answered for client in clients]
        names = mapped(running)
        wait_until(
            lambda: all(c.answered > b for c, b in zip(clients, before, strict=True)),
            "all are answered after that too",
        )
        for client in clients:
            client.is_stopping = True
        for client in clients:
            client.join(SECONDS_MAX)
        assert [failure for client in clients for failure in client.failed] == []
    assert "penstock-server" in names
    found = {match[0] for name in names if (match := HEAVY.search(name))}
    assert found == brings
