"""Workers that start slowly or not at all, that cannot be reaped, and what is told of them."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import urllib.request
from pathlib import Path

import pytest
from servers import Server, serving, wait_until
from troubled import Gated, Poisoned, Troubled
from workers import (
    ask,
    assert_serves,
    is_running,
    ready,
    rows,
    wait_for_line,
    wait_for_workers,
    workers_of,
)

import penstock

SECRETS = {
    "AWS_PROFILE": "secret",
    "HF_TOKEN": "secret",
    "api_key": "secret",
    "A_SECRET": "secret",
    "PGPASSWORD": "secret",
    "PENSTOCK_HOME": "secret",
    "GOOGLE_APPLICATION_CREDENTIALS": "/secret.json",
    "DATABASE_URL": "postgresql://host/name",
    "STORE_CONNECTION_STRING": "secret",
    "STORE_DSN": "secret",
    "AZURE_CLIENT_ID": "secret",
    "BLOB_SAS_URL": "secret",
    "BROKER": "amqp://user:secret@host/queue",
}


def package_of(model: object, home: Path) -> Path:
    version = penstock.register(model, rows(60), name="m", home=home)
    return Path(version._unpacked.path)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> penstock.ModelVersion:
    home = tmp_path_factory.mktemp("home")
    return penstock.register(Troubled(), rows(60), name="m", home=home)


@pytest.fixture(scope="module")
def package(version: penstock.ModelVersion) -> Path:
    return Path(version._unpacked.path)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    folder = tmp_path / "gate"
    folder.mkdir()
    return folder


@pytest.fixture
def gated(gate: Path, tmp_path: Path) -> Path:
    return package_of(Gated(gate), tmp_path / "home")


def a_python(path: Path, before: str = "") -> Path:
    """Write a program that runs this Python."""
    path.write_text(f'#!/bin/sh\n{before}\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return path


def test_a_server_whose_only_worker_starts_slowly_is_not_ready(gated: Path, gate: Path) -> None:
    with serving(gated, "--workers", "1") as server:
        assert ready(server)[0] == 200
        (gate / "hold").touch()
        (worker,) = workers_of(server)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: ready(server)[0] == 503, "it is not ready")
        _, answer = ready(server)
        assert "the model cannot be run: worker 1 was ended by signal 9" in answer["detail"]
        status, _, health = server.request("GET", "/health")
        assert (status, health["status"]) == (503, "failing")
        assert "worker 1 was ended by signal 9" in health["detail"]
        (gate / "hold").unlink()
        wait_until(lambda: ready(server)[0] == 200, "it is ready again")
        assert_serves(server)


def test_one_worker_of_two_that_starts_slowly_does_not_count(gated: Path, gate: Path) -> None:
    with serving(gated, "--workers", "2", "--loops", "2") as server:
        wait_for_workers(server, 2)
        (gate / "hold").touch()
        worker = min(workers_of(server))
        os.kill(worker, signal.SIGKILL)
        wait_for_line(server, "a worker ended")
        wait_until(lambda: len(workers_of(server)) == 2, "another is starting")
        assert_serves(server)
        assert ready(server)[0] == 200
        (gate / "hold").unlink()


def test_workers_end_by_themselves_when_the_server_does(gated: Path, gate: Path) -> None:
    with serving(gated, "--workers", "2", "--loops", "2") as server:
        wait_for_workers(server, 2)
        workers = workers_of(server)
        server.end()
    assert {f"ended-{pid}" for pid in workers} <= {path.name for path in gate.glob("ended-*")}


def test_a_worker_that_cannot_be_reaped_holds_up_no_other(package: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    seize, word = 0x4206, ctypes.c_void_p
    with serving(package, "--workers", "2", "--loops", "2") as server:
        wait_for_workers(server, 2)
        worker = min(workers_of(server))
        # What is traced ends for its tracer first, and for its parent once the tracer has looked.
        if libc.ptrace(seize, worker, word(), word()) != 0:
            pytest.skip(f"no process may be traced here: {os.strerror(ctypes.get_errno())}")
        os.kill(worker, signal.SIGKILL)
        assert "worker 1 does not end" in wait_for_line(server, "a worker ended").replace("2", "1")
        assert_serves(server)
        wait_for_workers(server, 1)
        assert len(workers_of(server)) == 2
        os.waitpid(worker, 0x40000000)  # __WALL: a tracer's
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "it is reaped")


def test_a_python_that_is_gone_is_logged_and_told(package: Path, tmp_path: Path) -> None:
    python = a_python(tmp_path / "python")
    with serving(package, "--workers", "1", "--python", str(python)) as server:
        python.unlink()
        (worker,) = workers_of(server)
        os.kill(worker, signal.SIGKILL)
        line = wait_for_line(server, "a worker cannot be started")
        assert f"worker 1 cannot be started: cannot run '{python}': No such file" in line
        wait_until(lambda: ready(server)[0] == 503, "it is not ready")
        wait_until(lambda: str(python) in ready(server)[1]["detail"], "the reason is told")
        a_python(python)
        wait_until(lambda: ready(server)[0] == 200, "it is ready again")
        assert_serves(server)


def test_rows_that_end_their_reader_end_two_workers_at_most(tmp_path: Path) -> None:
    package = package_of(Poisoned(), tmp_path / "home")
    with serving(package, "--workers", "3", "--loops", "2") as server:
        wait_for_workers(server, 3)
        before = workers_of(server)
        status, _, answer = ask(server, "poison")
        assert status == 503
        assert "exited with code 9" in answer["detail"]
        assert "it was sent to 2 workers, and each ended before it had read it" in answer["detail"]
        assert len(before & workers_of(server)) == 1
        assert_serves(server)


def test_what_is_printed_between_calls_is_of_no_request(package: Path, tmp_path: Path) -> None:
    with serving(package, "--workers", "1", "--log-json") as server:
        status, headers, _ = ask(server, f"printlater:{tmp_path / 'now'}")
        assert status == 200
        (tmp_path / "now").touch()
        record = json.loads(wait_for_line(server, "said between calls"))
    assert record["worker"] == 1
    assert headers["penstock-request-id"] not in str(record)


def test_neither_workers_nor_the_python_that_is_asked_get_credentials(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PLAIN_SETTING", "http://host:80/a@b")
    python = a_python(tmp_path / "python", f'env > "{tmp_path}/env-$$"')
    with serving(package, "--workers", "1", "--python", str(python)) as server:
        _, _, answer = ask(server, f"environment:{','.join([*SECRETS, 'PLAIN_SETTING'])}")
    assert answer["detail"] == "RuntimeError: PLAIN_SETTING"
    asked, started = (path.read_text().splitlines() for path in tmp_path.glob("env-*"))
    for given in (asked, started):
        names = {line.partition("=")[0] for line in given}
        assert "PLAIN_SETTING" in names
        assert names.isdisjoint(SECRETS)


def not_ready(package: Path, *flags: str) -> str:
    """Return why a server that runs is not ready."""
    server = Server(package, "--drain-notice-ms", "0", *flags)
    try:
        assert server.request("GET", "/health/live")[0] == 200
        status, answer = ready(server)
        assert status == 503
        status, _, health = server.request("GET", "/health")
        assert (status, health["status"]) == (503, "starting")
        assert health["detail"] == answer["detail"]
        assert health["detail"].removeprefix("the model cannot be loaded: ") in wait_for_line(
            server, " not ready "
        ).replace('\\"', '"')
    finally:
        server.end()
    assert server.process.returncode == 128 + signal.SIGTERM
    return str(answer["detail"])


def test_a_host_without_a_suitable_python_is_not_ready(package: Path, tmp_path: Path) -> None:
    needs = "needs cpython 3.11 with its packages and penstock"
    told = not_ready(package, "--python", "/nowhere/python")
    assert needs in told
    assert "'/nowhere/python', which --python names, is not there or no program" in told
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.10.9 cpython\n")
    other.chmod(0o755)
    assert f"'{other}' is 3.10.9 cpython" in not_ready(package, "--python", str(other))
    other.write_text("#!/bin/sh\nexit 1\n")
    assert "does not answer as a Python does" in not_ready(package, "--python", str(other))
    # A suitable one without the packages.
    bare = a_python(tmp_path / "bare", 'case "$*" in *_worker*) set -- -S "$@";; esac')
    told = not_ready(package, "--python", str(bare))
    assert "exited with code 1" in told
    assert "No module named" in told


def test_a_python_that_comes_later_is_found(package: Path, tmp_path: Path) -> None:
    server = Server(package, "--workers", "1", "--python", str(tmp_path / "python"))
    try:
        assert ready(server)[0] == 503
        a_python(tmp_path / "python")
        wait_until(lambda: ready(server)[0] == 200, "it is ready")
        assert_serves(server)
    finally:
        told = server.end()
    assert server.process.returncode == 0, told


def test_metrics_tell_of_workers(package: Path, house: Path) -> None:
    with serving(package, "--workers", "1") as server:
        assert_serves(server)
        assert ask(server, "exit:7")[0] == 503
        assert_serves(server)
        metrics = server.metrics()
        assert metrics["penstock_workers_able"] == 1
        assert metrics["penstock_worker_calls_waiting"] == 0
        assert metrics["penstock_worker_calls_total"] == 3
        assert metrics["penstock_worker_call_seconds_total"] > 0
        ends = {
            reason: metrics[f'penstock_worker_ends_total{{reason="{reason}"}}']
            for reason in ("died", "timeout", "memory", "protocol", "start")
        }
        assert ends == {"died": 1, "timeout": 0, "memory": 0, "protocol": 0, "start": 0}
        assert ask(server, "garbage")[0] == 503
        assert server.metrics()['penstock_worker_ends_total{reason="protocol"}'] == 1
    with serving(house) as server:
        assert not [name for name in server.metrics() if "worker" in name]


def test_a_call_beyond_its_time_counts_as_such(package: Path) -> None:
    with serving(package, "--workers", "1", "--worker-ms-max", "1500") as server:
        (worker,) = workers_of(server)
        assert ask(server, "hang")[0] == 504
        wait_until(lambda: not is_running(worker), "it has ended")
        assert server.metrics()['penstock_worker_ends_total{reason="timeout"}'] == 1


def test_serve_takes_the_number_of_workers_and_their_python(
    version: penstock.ModelVersion, tmp_path: Path
) -> None:
    python = a_python(tmp_path / "python", f'touch "{tmp_path}/ran-$$"')
    with version.serve(workers=3, python=python) as service:
        wait_until(lambda: len(list(tmp_path.glob("ran-*"))) == 1 + 3, "three have started")
        with urllib.request.urlopen(f"{service.url}/health") as response:
            assert json.load(response)["status"] == "ready"
    with pytest.raises(
        penstock.FailedPreconditionError, match=r"'/nowhere/python', which --python"
    ):
        version.serve(python="/nowhere/python")
    with pytest.raises(penstock.FailedPreconditionError, match="--workers is '65'"):
        version.serve(workers=65)
