"""The handle on a server: ready when it is returned, gone when it is to be."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

import _penstock
import penstock
from penstock import _service

GONE_S_MAX = 20.0
IRIS = load_iris(return_X_y=True)


@pytest.fixture
def version() -> penstock.ModelVersion:
    return penstock.register(DecisionTreeClassifier().fit(*IRIS), IRIS[0], name="iris")


def post(url: str, body: object) -> tuple[int, dict]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + GONE_S_MAX
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_a_service_answers_what_the_version_answers(version) -> None:
    X = IRIS[0][::40]
    with version.serve() as service:
        assert service.is_running
        assert service.url in repr(service)
        status, answer = post(f"{service.url}/predict", {"features": X.tolist()})
        assert status == 200
        assert answer["model"] == "iris"
        assert answer["predictions"] == version.predict(X).tolist()
        assert answer["probabilities"] == version.predict_proba(X).tolist()
        status, problem = post(f"{service.url}/predict", {"features": [[1, 2]]})
        assert status == 422
    assert not service.is_running
    assert "stopped" in repr(service)
    with pytest.raises(urllib.error.URLError):
        post(f"{service.url}/predict", {})


def check_service(version: penstock.ModelVersion, X: object, features: object, engine: str) -> None:
    """Hold what HTTP answers against what the version answers in this process."""
    # A number of an engine in float32 is written as the shortest decimal of that float.
    form = next(form for form in version.parity.report["candidates"] if form["passed"])
    dtype = np.dtype(form["precision"])
    with version.serve() as service:
        status, answer = post(f"{service.url}/predict", {"features": features})
        (served,) = get(f"{service.url}/health")["models"]
    assert (status, served["engine"]) == (200, engine)
    assert answer["predictions"] == version.predict(X).tolist()
    np.testing.assert_array_equal(
        np.array(answer["probabilities"], dtype), version.predict_proba(X).astype(dtype)
    )


@pytest.mark.parametrize("engine", ["own", "onnxruntime"])
def test_boosted_trees_answer_over_http(check_same, engine: str) -> None:
    X, y = IRIS[0], np.array(["a", "b", "c"])[IRIS[1]]
    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X, y)
    version = penstock.register(model, X, name="boosted", engine=engine)
    check_same(version, model, X, exact=False)
    check_service(version, X, X.tolist(), engine)


@pytest.mark.parametrize("engine", ["own", "onnxruntime"])
def test_a_pipeline_of_text_and_gaps_answers_over_http(
    check_same, customers: pd.DataFrame, engine: str
) -> None:
    X = customers[["age", "monthly income", "region", "plan"]]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["age", "monthly income"]),
            ("kinds", OneHotEncoder(), ["region", "plan"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(X, customers["is_new"])
    version = penstock.register(model, X, name="customers", engine=engine)
    check_same(version, model, X, exact=False)
    records = X.astype(object).where(X.notna(), None).to_dict(orient="records")
    assert any(record["monthly income"] is None for record in records)
    check_service(version, X, records, engine)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("null", "column 'x2' is missing (null); a number was expected (the original: {words})"),
        ("1e999", "column 'x2' is a number beyond the range of double"),
    ],
)
def test_what_a_linear_model_refuses_is_refused_over_http(value: str, told: str) -> None:
    X, y = IRIS
    model = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN") as refused:
        model.predict(np.full((1, 4), np.nan))
    words = f"ValueError: {str(refused.value).splitlines()[0]}"
    version = penstock.register(model, X, name="iris")
    with version.serve() as service:
        body = f'{{"features":[[5.1,3.5,1.4,0.2],[5.1,3.5,{value},0.2]]}}'
        status, problem = post(f"{service.url}/predict", body.encode())
    assert status == 422
    assert problem["pointer"] == "/features/1/2"
    assert told.format(words=words) in problem["detail"]


@contextlib.contextmanager
def server_of(version: penstock.ModelVersion, *flags: str) -> Iterator[str]:
    """Run the server for a version with flags that `serve` does not have, and return its URL."""
    command = [Path(_penstock.binary_dir) / "penstock-server", version._unpacked.path]
    command += ["--as", "m@1", "--port", "0", "--admin-port", "0", "--announce", "json", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.kill()


def test_beyond_what_float32_can_vouch_for_is_refused_or_answered_as_the_flag_says() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = SVR(kernel="linear").fit(X, y)
    version = penstock.register(model, X, name="m")
    limits = version.signature["inputs"][0]["abs_max"]
    assert not limits["refused_by_original"]
    rows = np.repeat(X[:1], 2, axis=0)
    rows[:, 0] = limits["value"], np.nextafter(limits["value"], np.inf)
    within, beyond = ({"features": [row]} for row in rows.tolist())
    with server_of(version) as url:
        status, answer = post(f"{url}/predict", within)
        assert status == 200
        np.testing.assert_allclose(answer["predictions"], model.predict(rows[:1]), rtol=1e-5)
        status, problem = post(f"{url}/predict", beyond)
        assert status == 422
        assert problem["pointer"] == "/features/0/0"
        assert limits["reason"] in problem["detail"]
    with server_of(version, "--beyond-limits", "answer") as url:
        status, answer = post(f"{url}/predict", beyond)
        assert status == 200
        np.testing.assert_allclose(answer["predictions"], model.predict(rows[1:]), rtol=1e-3)


def test_stopping_twice_is_fine(version) -> None:
    service = version.serve()
    service.stop()
    service.stop()
    assert service._process.returncode == 0


def test_stop_tells_whether_the_server_ended_well_by_itself(
    version, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = version.serve()
    assert service.stop() is True
    assert service.stop() is True
    killed = version.serve()
    os.kill(killed._process.pid, signal.SIGKILL)
    assert killed.stop() is False
    monkeypatch.setattr(_service, "STOP_S_MAX", 0.1)
    stuck = version.serve()
    os.kill(stuck._process.pid, signal.SIGSTOP)
    assert stuck.stop() is False
    assert stuck.stop() is False
    assert not stuck.is_running


def test_two_services_take_ports_of_their_own(version) -> None:
    with version.serve() as first, version.serve() as second:
        assert first.url != second.url


def test_a_taken_port_is_told(version) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(penstock.FailedPreconditionError, match=str(port)):
            version.serve(port)


CHILD = """
import os, sys, penstock
service = penstock.load("iris").serve()
is_fork = sys.argv[1] == "fork" and os.fork() == 0  # as a worker of multiprocessing
if not is_fork:
    print(service._process.pid, flush=True)
if sys.argv[1] in ("wait", "fork"):
    sys.stdin.read()
elif sys.argv[1] == "drop":
    del service
"""


@pytest.mark.parametrize("how", ["end", "drop"])
def test_the_server_ends_with_the_process(version, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, how], capture_output=True, text=True, check=True, timeout=60
    )
    wait_until_gone(int(done.stdout))


@pytest.mark.parametrize("how", ["wait", "fork"])
def test_the_server_ends_when_the_process_is_killed(version, how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        server = int(child.stdout.readline())
        assert is_alive(server)
        os.kill(child.pid, signal.SIGKILL)
        wait_until_gone(server)
