"""The C++ program `penstock`, from a joblib file to answers over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import _penstock

PENSTOCK = Path(_penstock.binary_dir) / "penstock"
REGISTER = ("register", "model.joblib", "--name", "churn", "--examples", "rows.csv")
PORTS = ("--port", "0", "--admin-port", "0")


def penstock(*arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PENSTOCK_PYTHON": sys.executable}
    return subprocess.run(
        [PENSTOCK, *arguments],
        input=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


@pytest.fixture
def fitted(tmp_path: Path) -> LogisticRegression:
    """Save a model with joblib, and its rows as CSV."""
    X = pd.DataFrame({"age": np.arange(60) % 23, "income": np.arange(60) * 1.5})
    y = (np.arange(60) % 3 == 0).astype(int)
    fitted = LogisticRegression().fit(X, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    X.to_csv(tmp_path / "rows.csv", index=False)
    return fitted


@pytest.fixture
def model(fitted: LogisticRegression) -> LogisticRegression:
    """Register churn@1 through the program, which hands the file to Python."""
    done = penstock(*REGISTER)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("churn@1  native")
    return fitted


def test_help_takes_less_than_100_ms() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Examples:" in penstock("--help").stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.1


@pytest.mark.parametrize("program", ["penstock", "penstock-server"])
def test_the_virtual_environment_has_the_programs_of_the_module(program: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(program), "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{program} {_penstock.version}\n"), done.stderr


def test_predict_answers_what_the_model_answers(model: LogisticRegression) -> None:
    rows = [[5, 7.5], [20, 80.0]]
    done = penstock("predict", "churn", "--features", "-", told=json.dumps({"features": rows}))
    answer = json.loads(done.stdout)
    X = pd.DataFrame(rows, columns=["age", "income"])
    assert answer["predictions"] == model.predict(X).tolist()
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(X), rtol=1e-9)


def test_show_tells_the_evidence(model: LogisticRegression) -> None:
    shown = json.loads(penstock("models", "show", "churn@1", "--json").stdout)
    assert shown["parity"]["rows"] == 60
    assert "60 rows and " in penstock("models", "show", "churn").stdout


@contextlib.contextmanager
def serving(version: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `penstock serve`; give the process and its first line."""
    server = subprocess.Popen(
        [PENSTOCK, "serve", version, *PORTS], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield server, server.stdout.readline()
    finally:
        server.kill()
        server.communicate()


def ask(told: str, row: dict[str, float]) -> dict:
    """Ask the service that a first line announces."""
    found = re.match(r"churn@\d on (http://127\.0\.0\.1:\d+)", told)
    assert found, told
    body = json.dumps({"features": row}).encode()
    request = urllib.request.Request(
        found[1] + "/predict", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_serve_answers_until_it_is_stopped(model: LogisticRegression) -> None:
    row = {"age": 5, "income": 7.5}
    with serving("churn") as (server, told):
        assert told.startswith("churn@1 on ")
        assert ask(told, row)["predictions"] == [int(model.predict(pd.DataFrame([row]))[0])]
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_serve_takes_the_version_that_is_named(model: LogisticRegression) -> None:
    X = pd.read_csv("rows.csv")
    other = LogisticRegression().fit(X, (X["age"] > 10).astype(int))
    joblib.dump(other, "model.joblib")
    assert penstock(*REGISTER).stdout.startswith("churn@2  native")
    row = {"age": 20, "income": 7.5}
    assert model.predict(pd.DataFrame([row])) != other.predict(pd.DataFrame([row]))
    for version, expected in ("churn@1", model), ("churn@2", other), ("churn", other):
        with serving(version) as (_, told):
            answer = ask(told, row)
        assert answer["version"] == (1 if expected is model else 2)
        assert answer["predictions"] == expected.predict(pd.DataFrame([row])).tolist()


def test_a_model_without_native_form_is_answered_by_workers(model: LogisticRegression) -> None:
    X = pd.read_csv("rows.csv")
    logged = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(X, X["age"] > 9)
    joblib.dump(logged, "model.joblib")
    assert penstock(*REGISTER).stdout.startswith("churn@2  not native: ")
    shown = penstock("models", "show", "churn").stdout
    assert "engine    Python worker: " in shown
    assert "FunctionTransformer is none of its scalers" in shown
    row = {"age": 5, "income": 7.5}
    expected = logged.predict(pd.DataFrame([row])).tolist()
    told = json.dumps({"features": row})
    answer = json.loads(penstock("predict", "churn", "--features", "-", told=told).stdout)
    assert answer["predictions"] == expected
    with serving("churn") as (_, first_line):
        assert ask(first_line, row)["predictions"] == expected


def test_serve_tells_that_its_port_is_taken(model: LogisticRegression) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = penstock("serve", "churn", "--port", str(port), "--admin-port", "0")
    assert done.returncode != 0
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_doctor_finds_a_flipped_bit(model: LogisticRegression, home: Path) -> None:
    assert penstock("doctor").returncode == 0
    stored = next(path for path in (home / "objects").rglob("*") if path.is_file())
    stored.chmod(0o600)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    done = penstock("doctor", "--json")
    registry = next(found for found in json.loads(done.stdout) if found["name"] == "registry")
    assert done.returncode == 10  # DATA_LOSS
    assert not registry["ok"]
    assert stored.name in registry["text"] or "SHA-256" in registry["text"]


def test_a_home_that_is_not_there_is_told_by_what_only_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    monkeypatch.setenv("PENSTOCK_HOME", str(home))
    done = penstock("models", "list")
    assert done.returncode == 3  # NOT_FOUND
    assert done.stderr.startswith(f"penstock: there is no folder '{home}' with models")
    assert "PENSTOCK_HOME" in done.stderr


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = {**os.environ, "PENSTOCK_PYTHON": str(tmp_path / "nopython")}
    done = subprocess.run(
        [PENSTOCK, "register", "m.joblib", "--name", "m", "--examples", "rows.csv"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode != 0
    assert "set PENSTOCK_PYTHON" in done.stderr


Inside = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """Give a function that runs commands where mounts are seen by these commands alone."""
    is_root = os.geteuid() == 0
    unshare = ["unshare", "--mount", *([] if is_root else ["--map-root-user"])]
    keeper = subprocess.Popen(
        [*unshare, "sh", "-c", "echo mine; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    enter = ["nsenter", f"--target={keeper.pid}", "--mount", "--wd"]
    enter += [] if is_root else ["--user", "--preserve-credentials"]

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PENSTOCK_PYTHON": sys.executable}
        return subprocess.run(
            [*enter, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment,
        )

    assert keeper.stdout is not None
    if keeper.stdout.readline() != "mine\n":
        pytest.skip("this machine lets this user mount nothing")
    yield run
    keeper.communicate()


def check_refused(done: subprocess.CompletedProcess[str], code: int, *parts: object) -> None:
    """Hold a registration that failed to one line, which names the home and the remedy."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("penstock: ")
    assert all(str(part) in sentence for part in parts), sentence


# No room for the registry, for a file of the package, for the row that makes it a version.
@pytest.mark.parametrize(
    ("size", "told"), [("4k", "registry.db"), ("80k", "cannot be stored"), ("112k", "registry.db")]
)
def test_a_full_home_is_told_and_keeps_nothing(
    fitted: LogisticRegression, inside: Inside, home: Path, size: str, told: str
) -> None:
    assert inside("mount", "-t", "tmpfs", "-o", f"size={size}", "none", home).returncode == 0
    done = inside(PENSTOCK, *REGISTER)
    remedy = "free disk space and try again: nothing was"
    check_refused(done, 6, home, told, remedy)  # RESOURCE_EXHAUSTED
    assert inside("mount", "-o", "remount,size=200m", home).returncode == 0
    assert json.loads(inside(PENSTOCK, "models", "list", "--json").stdout) == []
    assert inside(PENSTOCK, "doctor").returncode == 0
    again = inside(PENSTOCK, *REGISTER)
    assert again.stdout.startswith("churn@1  native"), again.stderr


def make_read_only(inside: Inside, folder: Path) -> None:
    assert inside("mount", "--bind", folder, folder).returncode == 0
    assert inside("mount", "-o", "remount,ro,bind", folder).returncode == 0


def test_a_read_only_home_is_told(fitted: LogisticRegression, inside: Inside, home: Path) -> None:
    make_read_only(inside, home)
    done = inside(PENSTOCK, *REGISTER)
    check_refused(done, 5, home, "make the file and its folder writable")  # PERMISSION_DENIED
    assert list(home.iterdir()) == []


def test_a_home_that_became_read_only_is_told_and_keeps_what_it_has(
    model: LogisticRegression, inside: Inside, home: Path
) -> None:
    make_read_only(inside, home)
    done = inside(PENSTOCK, *REGISTER)
    check_refused(done, 5, home, "make the folder writable")
    (kept,) = json.loads(penstock("models", "list", "--json").stdout)
    assert (kept["name"], kept["version"]) == ("churn", 1)
    assert penstock("doctor").returncode == 0


@pytest.mark.parametrize("program", [[str(PENSTOCK)], [sys.executable, "-m", "penstock"]])
def test_what_could_not_be_written_is_no_success(program: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*program, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 6
    assert done.stderr == "penstock: cannot write the output: No space left on device\n"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root writes all")
def test_a_registry_that_cannot_be_written_is_looked_at(
    model: LogisticRegression, tmp_path: Path
) -> None:
    home = Path(os.environ["PENSTOCK_HOME"])
    without_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    prefix = without_rights if os.geteuid() == 0 else []

    def as_reader(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, PENSTOCK, *arguments], capture_output=True, text=True, check=False
        )

    (home / "registry.db").chmod(0o444)
    home.chmod(0o555)
    try:
        done = as_reader("models", "list", "--json")
        assert done.returncode == 0, done.stderr
        assert [each["name"] for each in json.loads(done.stdout)] == ["churn"]
        done = as_reader("models", "show", "churn@1")
        assert done.returncode == 5
        assert "unpack it once as a user who may write there" in done.stderr
        home.chmod(0o755)
        (home / "registry.db").chmod(0o644)
        shown = penstock("models", "show", "churn@1")
        (home / "registry.db").chmod(0o444)
        home.chmod(0o555)
        assert as_reader("models", "show", "churn@1").stdout == shown.stdout
    finally:
        home.chmod(0o755)
    assert [path.name for path in home.glob("registry.db*")] == ["registry.db"]
