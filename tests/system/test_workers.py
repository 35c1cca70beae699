"""A model without a native form, served by real workers, and everything that may befall them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from servers import SECONDS_MAX, Server, serving, wait_until
from troubled import Troubled
from workers import (
    ROW,
    Waiting,
    ask,
    assert_serves,
    is_running,
    ready,
    records,
    rows,
    wait_for_workers,
    workers_of,
)

import penstock


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> penstock.ModelVersion:
    home = tmp_path_factory.mktemp("home")
    return penstock.register(Troubled(), rows(400), name="troubled", home=home)


@pytest.fixture(scope="module")
def package(version: penstock.ModelVersion) -> Path:
    assert version.engine == "python"
    return Path(version._unpacked.path)


@pytest.fixture(scope="module")
def server(package: Path) -> Iterator[Server]:
    with serving(package, "--workers", "2", "--loops", "2") as running:
        yield running


def test_the_answers_are_the_original_s(server: Server, version: penstock.ModelVersion) -> None:
    frame = rows(700)
    status, _, answer = server.predict(records(frame))
    assert status == 200, answer
    original = Troubled()
    assert answer["predictions"] == original.predict(frame).tolist()
    np.testing.assert_array_equal(answer["probabilities"], original.predict_proba(frame))
    predicted = version.predict(frame)
    assert predicted.dtype == original.predict(frame).dtype
    np.testing.assert_array_equal(predicted, original.predict(frame))
    np.testing.assert_array_equal(version.predict_proba(frame), original.predict_proba(frame))


def test_a_missing_integer_and_a_missing_boolean_reach_the_model(server: Server) -> None:
    asked = [ROW | {"n": None}, ROW | {"n": 2**53 + 1}, ROW | {"plan": ""}, ROW | {"is_new": None}]
    status, _, answer = server.predict(asked)
    assert status == 200, answer
    frame = pd.DataFrame(asked).astype({"small": "float32", "n": "float64"})
    np.testing.assert_array_equal(answer["probabilities"], Troubled().predict_proba(frame))
    (alone,) = server.predict([asked[1]])[2]["probabilities"]  # no gap: an integer, to the last bit
    frame = pd.DataFrame(asked[1:2]).astype({"small": "float32"})
    assert frame["n"].dtype == np.int64
    np.testing.assert_array_equal([alone], Troubled().predict_proba(frame))


def test_many_at_once_get_their_own_answers(server: Server) -> None:
    frame = rows(160)
    expected = Troubled().predict_proba(frame)
    asked = records(frame)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: server.predict([row]), asked))
    assert {status for status, _, _ in answers} == {200}
    given = np.concatenate([answer["probabilities"] for _, _, answer in answers])
    np.testing.assert_array_equal(given, expected)


def test_health_and_the_contract_tell_of_workers(server: Server) -> None:
    (model,) = server.request("GET", "/health")[2]["models"]
    assert model["engine"] == "python"
    assert model["engine_reason"].startswith("Python worker: the model has no native form")
    paths = server.request("GET", "/openapi.json")[2]["paths"]
    assert "504" in paths["/models/m/predict"]["post"]["responses"]


@pytest.mark.parametrize("order", ["refuse", "mistake"])
def test_what_the_original_refuses_is_422_in_its_words(server: Server, order: str) -> None:
    status, _, answer = ask(server, f"{order}:99 is no age")
    kind = {"refuse": "ValueError", "mistake": "TypeError"}[order]
    assert (status, answer["detail"]) == (422, f"{kind}: 99 is no age")


def test_any_other_exception_is_500_and_its_traceback_is_in_the_log(package: Path) -> None:
    with serving(package, "--workers", "1") as server:
        status, headers, answer = ask(server, "break:the gears")
        assert (status, answer["detail"]) == (500, "RuntimeError: the gears")
        status, _, answer = ask(server, "leave:3")
        assert (status, answer["detail"]) == (500, "SystemExit: 3")
        workers = workers_of(server)
        assert_serves(server)
        assert workers_of(server) == workers
        told = server.end()
    request = headers["penstock-request-id"]
    traced = [line for line in told.splitlines() if f"id={request}" in line]
    assert any("Traceback" in line for line in traced)
    assert any("troubled.py" in line for line in traced)


def test_what_the_model_prints_is_in_the_log_with_the_request(package: Path) -> None:
    with serving(package, "--workers", "1") as server:
        status, headers, answer = ask(server, "print:hello from the model")
        assert (status, answer["predictions"]) == (200, ["high"])
        told = server.end()
    (line,) = [line for line in told.splitlines() if "hello from the model" in line]
    assert "worker=1" in line
    assert f"id={headers['penstock-request-id']}" in line
    assert "stdin is empty" in told
    assert "raw" in told


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("exit:7", "exited with code 7"),
        ("segfault", "was ended by signal 11 (Segmentation fault)"),
        ("garbage", "not a frame: it does not begin with 'PSWK'"),
    ],
)
def test_a_worker_that_ends_costs_its_own_request(package: Path, order: str, reason: str) -> None:
    with serving(package, "--workers", "1") as server:
        before = workers_of(server)
        status, headers, answer = ask(server, order)
        assert status == 503, answer
        assert reason in answer["detail"]
        assert headers["retry-after"]
        assert_serves(server)
        assert workers_of(server).isdisjoint(before)
        assert reason in server.end()


def test_a_worker_that_is_killed_in_a_call_costs_that_call(package: Path, tmp_path: Path) -> None:
    with serving(package, "--workers", "2", "--loops", "2") as server:
        wait_for_workers(server, 2)
        first, second = (Waiting(server, tmp_path / name) for name in ("a", "b"))
        assert first.worker != second.worker
        os.kill(first.worker, signal.SIGKILL)
        status, _, answer = first.result(let_go=False)
        assert status == 503
        assert "was ended by signal 9" in answer["detail"]
        status, _, answer = second.result()
        assert (status, answer["predictions"]) == (200, ["high"])
        assert_serves(server)
        wait_until(lambda: len(workers_of(server)) == 2, "the worker runs again")


def test_a_worker_that_is_killed_while_idle_costs_nothing(package: Path) -> None:
    with serving(package, "--workers", "1") as server:
        for _ in range(3):
            (worker,) = workers_of(server)
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda pid=worker: not is_running(pid), "it has ended")
            assert_serves(server)
            assert worker not in workers_of(server)


def test_a_server_whose_workers_always_end_is_not_ready_until_one_stays(package: Path) -> None:
    with serving(package, "--workers", "1") as server:
        wait_until(lambda: ask(server, "exit:7") and ready(server)[0] == 503, "it is not ready")
        status, answer = ready(server)
        if status == 503:
            assert "the model cannot be run: worker 1 exited with code 7" in answer["detail"]
        status, _, answer = ask(server)
        if status == 503:
            assert "no worker is running: worker 1 exited with code 7" in answer["detail"]
        wait_until(lambda: ready(server)[0] == 200, "it is ready again")
        assert_serves(server)


def test_a_call_that_hangs_is_cut_off_and_others_are_answered(package: Path) -> None:
    flags = ("--workers", "2", "--loops", "2", "--worker-ms-max", "1500")
    with serving(package, *flags) as server:
        wait_for_workers(server, 2)
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(ask, server, "hang")
            while not hanging.done():
                assert_serves(server)
            status, _, answer = hanging.result()
        assert status == 504
        assert "did not answer within 1500 ms (--worker-ms-max)" in answer["detail"]
        assert_serves(server)


def test_a_worker_that_takes_too_much_memory_is_ended(package: Path) -> None:
    with serving(package, "--workers", "1", "--worker-mb-max", "600") as server:
        assert_serves(server)
        status, _, answer = ask(server, "grow")
        assert status == 503
        assert "MiB of memory, more than the 600 of --worker-mb-max" in answer["detail"]
        assert_serves(server)


def test_sigterm_finishes_the_call_in_flight(package: Path, tmp_path: Path) -> None:
    server = Server(package, "--workers", "1", "--drain-notice-ms", "0")
    waiting = Waiting(server, tmp_path / "a")
    # To the whole group, as a terminal or an init system may send it.
    os.kill(waiting.worker, signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_open(server), "the port is closed")
    status, _, answer = waiting.result()
    assert (status, answer["predictions"]) == (200, ["high"])
    _, told = server.process.communicate(timeout=SECONDS_MAX)
    assert server.process.returncode == 0, told
    wait_until(lambda: not is_running(waiting.worker), "the worker has ended")


def is_open(server: Server) -> bool:
    try:
        return server.request("GET", "/health/live")[0] == 200
    except OSError:
        return False


def test_no_worker_outlives_a_server_that_is_killed(package: Path, tmp_path: Path) -> None:
    server = Server(package, "--workers", "2", "--loops", "2")
    wait_for_workers(server, 2)
    waiting = Waiting(server, tmp_path / "a")
    workers = workers_of(server)
    assert waiting.worker in workers
    server.end(signal.SIGKILL)
    waiting.thread.join(SECONDS_MAX)
    wait_until(lambda: not any(map(is_running, workers)), "every worker has ended")


SCRIPT = """
import math, sys
import joblib, sklearn.base, numpy as np, penstock
from helpers_of_mine.scaling import Scaler

HALF = 0.5

class Mine:
    def __init__(self): self.scaler = Scaler()
    def predict(self, X): return self.scaler.scaled(X) * HALF + math.floor(1.5)

X = np.arange(12.0).reshape(6, 2)
if "--without-cloudpickle" in sys.argv:
    sys.modules["cloudpickle"] = None
version = penstock.register(Mine(), X, name="mine", home="home")
np.testing.assert_array_equal(version.predict(X), Mine().predict(X))
print(version._unpacked.path)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "helpers_of_mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "scaling.py").write_text(
        "from .factor import FACTOR\nimport loose\n\nclass Scaler:\n"
        "    def scaled(self, X): return X.sum(axis=1) * FACTOR + loose.SHIFT\n"
    )
    (folder / "factor.py").write_text("FACTOR = 3.0\n")
    (tmp_path / "loose.py").write_text("SHIFT = 0.25\n")
    (tmp_path / "unrelated.py").write_text("")
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_what_a_script_and_its_modules_define_goes_into_the_package(script: Path) -> None:
    done = run(script)
    assert done.returncode == 0, done.stderr
    package = Path(done.stdout.strip())
    source = package / "python" / "source"
    assert sorted(str(path.relative_to(source)) for path in source.rglob("*.py")) == [
        "helpers_of_mine/__init__.py",
        "helpers_of_mine/factor.py",
        "helpers_of_mine/scaling.py",
        "loose.py",
    ]
    for path in [*script.parent.glob("*.py"), *(script.parent / "helpers_of_mine").iterdir()]:
        if path.is_file():
            path.unlink()  # the worker has its own
    with serving(package, "--workers", "1") as server:
        status, _, answer = server.predict([[4.0, 5.0], [0.0, 1.0]])
        assert (status, answer["predictions"]) == (200, [14.625, 2.625])


def test_without_cloudpickle_what_a_script_defines_is_refused(script: Path) -> None:
    done = run(script, "--without-cloudpickle")
    assert done.returncode != 0
    assert "what this script or notebook defines" in done.stderr
    assert "install cloudpickle, or put that into a module" in done.stderr


FORK = """
import os, sys
import numpy as np, penstock

version = penstock.load("mine", home="home")
X = np.arange(12.0).reshape(6, 2)
before = version.predict(X)
if os.fork() == 0:
    try:
        version.predict(X)
    except penstock.FailedPreconditionError as error:
        assert "load the model again" in str(error), error
        sys.exit(3)  # through every destructor
    os._exit(4)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
np.testing.assert_array_equal(version.predict(X), before)
"""


def test_a_fork_does_not_touch_the_workers_of_its_parent(script: Path) -> None:
    assert run(script).returncode == 0
    forking = script.with_name("forking.py")
    forking.write_text(FORK)
    done = run(forking)
    assert done.returncode == 0, done.stderr
