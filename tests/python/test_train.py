"""penstock train, and the runs that it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import penstock
from penstock import Dataset, InvalidArgumentError, Model

SECONDS_MAX = 120

APP = """
import time
import numpy as np
import pandas as pd
import penstock
from sklearn.linear_model import LogisticRegression

customers = penstock.Dataset("customers", targets=["churned"])
model = penstock.Model("churn", LogisticRegression, dataset=customers)
other = penstock.Model("other", LogisticRegression, dataset=customers)
number = 5

@customers.reader
def read(rows: int = 200, hint: str = "") -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 2)), columns=["age", "income"])
    return frame.assign(churned=np.where(frame["age"] > 0, "yes", "no"))

@model.trainer
def fit(estimator: LogisticRegression, X: pd.DataFrame, y: pd.DataFrame, *,
        rounds: int = 2, wait_s: float = 0.0, fails: str = "") -> LogisticRegression:
    if fails:
        raise KeyError(fails)
    for i in range(rounds):
        penstock.report(loss=1 / (i + 1), step=i)
        print("fitting", flush=True)
        time.sleep(wait_s)
    return estimator.fit(X, y.squeeze())
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def told(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_app_is_trained_and_registered(app: Path) -> None:
    done = run("train", "app:model", "--set", "C=0.25", "--param", "rows=300")
    assert done.returncode == 0, done.stderr
    assert "churn@1  native" in done.stdout
    assert done.stdout.splitlines()[0] == "fitting"
    assert "penstock: read 300 rows in " in done.stderr
    assert "penstock: step 0  loss 1\n" in done.stderr
    (listed,) = told("runs", "list")
    shown = told("runs", "show", listed["id"][:8])
    assert shown["status"] == "finished"
    assert shown["hyperparameters"] == {"C": 0.25}
    assert shown["origin"]["arguments"]["reader"] == {"rows": 300}
    assert shown["origin"]["data"]["rows"] == 300
    assert list(shown["origin"]["code"]["parts"]) == ["app.py"]
    assert shown["origin"]["environment"]["packages"]["scikit-learn"]
    assert [report["metrics"]["loss"] for report in shown["reports"]] == [1.0, 0.5]
    assert [report["step"] for report in shown["reports"]] == [0, 1]
    assert shown["versions"] == ["churn@1"]
    version = told("models", "show", "churn@1")
    assert version["run"] == listed["id"]


def test_values_are_json_or_text_and_the_file_stands_behind_the_flags(app: Path) -> None:
    (app.parent / "penstock.toml").write_text(
        "[hyperparameters.churn]\nC = 0.5\nmax_iter = 50\n[serve]\nport = 8123\n"
    )
    summary = told(
        "train", "app:model", "--set", "C=2", "--set", "solver=newton-cg", "--param", 'hint="5"',
        "--split", "test_size=0.5", "--trainer", "rounds=1", "--no-register",
    )  # fmt: skip
    shown = told("runs", "show", summary["run"])
    assert shown["hyperparameters"] == {"C": 2.0, "max_iter": 50, "solver": "newton-cg"}
    assert shown["origin"]["arguments"]["splitter"] == {"test_size": 0.5}
    assert shown["origin"]["arguments"]["reader"] == {"hint": "5"}
    assert shown["versions"] == []
    assert run("models", "list").stdout == ""
    # The table of hyperparameters is nothing to the settings of the service.
    assert run("doctor").returncode == 0


def test_another_name_and_the_same_data_again(app: Path) -> None:
    first = told("train", "app:model", "--name", "renamed")
    second = told("train", "app:model", "--name", "renamed", "--set", "C=0.01")
    assert (first["name"], first["version"], second["version"]) == ("renamed", 1, 2)
    diff = told("models", "diff", "renamed@1", "renamed@2")["differences"]
    by_name = {(each["group"], each["name"]): each for each in diff}
    assert by_name["hyperparameters", "C"]["after"] == 0.01
    assert by_name["hyperparameters", "C"]["before"] is None
    assert ("origin", "data digest") not in by_name
    assert ("origin", "code digest") not in by_name
    app.write_text(APP.replace("default_rng(0)", "default_rng(1)"))
    told("train", "app:model", "--name", "renamed")
    diff = told("models", "diff", "renamed@1", "renamed@3")["differences"]
    names = {(each["group"], each["name"]) for each in diff}
    assert {("origin", "data digest"), ("origin", "code digest")} <= names
    text = run("models", "diff", "renamed@1", "renamed@2").stdout
    assert "hyperparameters" in text and "renamed@1" in text


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["app"], 2, "'app' names no model of an app; module:variable was expected"),
        (["ap:model"], 3, "there is no module 'ap' in '{here}'; it has 'app'. Did you mean 'app'?"),
        (["app:modle"], 3, "the module 'app' has no variable 'modle'; its models are 'model' and "
         "'other'. Did you mean 'model'?"),
        (["app:number"], 2, "'number' of the module 'app' is a int; a penstock.Model was expected"),
        (["app:model", "--set", "C"], 2, "--set was given 'C'; name=value was expected"),
        (["app:model", "--set", "C=1", "--set", "C=2"], 2, "--set was given 'C' twice"),
        (["app:model", "--set", "c=1"], 2, "Did you mean 'C'?"),
        (["app:model", "--set", "C=-1"], 2, "a hyperparameter is out of range"),
        (["app:model", "--set", "max_iter=many"], 2, "[0, inf). Got 'many' instead"),
        (["app:model", "--param", "row=3"], 2, "'row'"),
        (["app:model", "--trainer", "round=3"], 2, "which the trainer 'fit' does not take"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_a_sentence(
    app: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = run("train", *arguments)
    assert done.returncode == code, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("penstock: ")
    assert sentence.format(here=app.parent) in last
    assert "Traceback" not in done.stderr
    assert run("models", "list").stdout == ""


def test_an_app_that_raises_at_import_is_shown_where(app: Path) -> None:
    app.write_text("import penstock\n\nvalue = {}['missing']\n")
    done = run("train", "app:model")
    assert done.returncode == 7
    assert "it raised KeyError at line 3 of " in done.stderr.splitlines()[-1]
    assert "value = {}['missing']" in done.stderr
    app.write_text("import no_such_package\n")
    done = run("train", "app:model")
    assert "ModuleNotFoundError at line 1" in done.stderr
    assert "No module named 'no_such_package'" in done.stderr
    app.write_text("def (:\n")
    assert "SyntaxError at line 1" in run("train", "app:model").stderr


def test_a_failing_trainer_is_shown_with_its_traceback_and_marked(app: Path) -> None:
    done = run("train", "app:model", "--trainer", "fails=here")
    assert done.returncode == 1
    assert "raise KeyError(fails)" in done.stderr
    assert "the training of 'churn' failed, KeyError" in done.stderr.splitlines()[-1]
    (listed,) = told("runs", "list", "churn")
    assert listed["status"] == "failed"
    assert listed["reason"] == "KeyError: 'here'"
    assert "raise KeyError(fails)" in listed["traceback"]
    assert run("models", "list").stdout == ""


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_a_training_that_is_stopped_is_marked(app: Path, how: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "penstock", "train", "app:model", "--trainer", "wait_s=60"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "fitting\n"
    assert [each["status"] for each in told("runs", "list")] == ["running"]
    process.send_signal(how)
    _, said = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == code, said
    (listed,) = told("runs", "list")
    assert listed["status"] == "stopped"
    assert listed["reason"]
    assert "Traceback" not in said
    # What was reported before is kept: of a killed process all but the last moment's.
    assert told("runs", "show", listed["id"])["reports"][0]["metrics"] == {"loss": 1.0}
    assert run("models", "list").stdout == ""


def frame(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(3)
    made = pd.DataFrame(random.normal(size=(rows, 2)), columns=["a", "b"])
    return made.assign(y=(made["a"] > 0).astype(int))


def churn(**settings: Any) -> Model:
    rows = frame()
    dataset = Dataset("customers", source=lambda: rows, targets=["y"], **settings)
    return Model("churn", LogisticRegression, dataset=dataset)


def test_python_trains_record_themselves() -> None:
    model = churn()
    assert model.run is None
    model.train(hyperparameters={"C": 0.5})
    version = model.register()
    (run_,) = penstock.runs("churn")
    assert run_.id == model.run == version.run
    assert run_.status == "finished"
    assert run_.metrics == model.artifact.metrics  # type: ignore[union-attr]
    assert run_.versions == ["churn@1"]
    assert "finished" in repr(run_) and "churn@1" in run_._repr_html_()
    assert penstock.load("churn").run == run_.id
    assert penstock.runs("digits") == []


def test_what_the_users_code_raises_comes_back_as_itself_and_marks_the_run() -> None:
    model = churn()
    raised = RuntimeError("no luck")

    @model.evaluator
    def judge(fitted: Any, X: Any, y: Any) -> float:
        raise raised

    with pytest.raises(RuntimeError) as caught:
        model.train()
    assert caught.value is raised
    (run_,) = penstock.runs()
    assert (run_.status, run_.reason) == ("failed", "RuntimeError: no luck")
    assert "raise raised" in run_.traceback
    assert model.run is None


def test_metrics_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="'loss' as 'low'; a number was expected"):
        penstock.report(loss="low")  # type: ignore[arg-type]
    penstock.report(loss=1.0)  # outside of a training: nothing


def test_a_home_that_cannot_be_written_does_not_cost_the_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "file" / "home"))
    model = churn()
    model.train()
    assert model.artifact is not None
    assert model.run is None
    assert "this training is not recorded" in caplog.text


def test_what_cannot_be_recorded_does_not_cost_the_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = churn()

    @model.trainer
    def fit(estimator: Any, X: Any, y: Any) -> Any:
        penstock.report({f"metric {i}": 1.0 for i in range(100_000)})
        return estimator.fit(X, y.squeeze())

    _, metrics = model.train()
    assert model.artifact is not None and set(metrics) == {"train", "test"}
    assert "is not recorded whole" in caplog.text
    assert penstock.runs()[0].status == "finished"


def test_a_loss_that_is_no_number_is_kept_as_it_is() -> None:
    model = churn()

    @model.trainer
    def fit(estimator: Any, X: Any, y: Any) -> Any:
        penstock.report(loss=float("nan"), gain=float("inf"))
        return estimator.fit(X, y.squeeze())

    model.train()
    assert penstock.runs()[0].reports[0]["metrics"] == {"loss": "nan", "gain": "inf"}


def test_passwords_in_uris_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["train", "postgresql://me:s3cret@host/db", "db_password=s3cret"]
    )
    model = churn()

    @model.trainer
    def fit(estimator: Any, X: Any, y: Any, *, api_key: str) -> Any:
        raise RuntimeError("no way to postgresql://me:s3c/ret@host/db")

    with pytest.raises(RuntimeError):
        model.train(trainer_kwargs={"api_key": "s3cret"})
    run_ = penstock.runs()[0]
    assert "s3c" not in run_.reason
    # The traceback's lines of source are those of this file.
    origin = json.dumps(run_.origin)
    assert "s3cret" not in origin
    assert "postgresql://me:***@host/db" in origin


def test_files_of_one_name_in_two_folders_are_two(app: Path) -> None:
    for folder in ("first", "second"):
        (app.parent / folder).mkdir()
        (app.parent / folder / "steps.py").write_text(f"def {folder}(rows): return rows\n")
    code = """
import json
import app, first.steps, second.steps
from penstock._app.origin import code_of
print(json.dumps(code_of([first.steps.first, second.steps.second, app.read])))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=app.parent
    )
    before = json.loads(done.stdout)
    assert list(before["parts"]) == ["app.py", "first/steps.py", "second/steps.py"]
    (app.parent / "first" / "steps.py").write_text("def first(rows): return rows[:1]\n")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=app.parent
    )
    assert json.loads(done.stdout)["digest"] != before["digest"]


@pytest.mark.parametrize("order", ["C", "F"])
def test_hashing_data_copies_none_of_it(order: Any) -> None:
    from penstock._app.origin import data_of

    array = np.ones((2**20, 8), order=order)
    texts = [f"{i}" * 2**20 for i in range(100, 140)]  # 120 MiB, beyond what is looked at
    tracemalloc.start()
    try:
        digest = data_of(array)["digest"]
        assert data_of(texts)["digest"] is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 8
    assert digest == data_of(np.ones((2**20, 8)))["digest"]


def test_the_digest_of_an_array_is_of_any_type_and_shape() -> None:
    from penstock._app.origin import data_of

    arrays = [
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.array(["2024-01-01", "NaT"], "M8[us]"),
        np.array(["a", "longer"]),
        np.arange(24).reshape(2, 3, 4)[:, ::-1],
        np.array([True, False]),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    ]
    digests = [data_of(array)["digest"] for array in arrays]
    assert None not in digests
    assert len(set(digests)) == len(arrays)
    assert digests == [data_of(array.copy("F"))["digest"] for array in arrays]
    assert data_of(np.array([object()]))["digest"] is None


REGISTERING = """
import signal, os
@model.predictor
def predict(fitted, X):
    {what}
"""


def test_a_stop_while_it_is_registered_is_not_one_of_the_training(app: Path) -> None:
    app.write_text(APP + REGISTERING.format(what="os.kill(os.getpid(), signal.SIGINT)"))
    done = run("train", "app:model")
    assert done.returncode == 130, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "stopped by Ctrl-C: 'churn' was being registered" in last
    (told,) = json.loads(run("runs", "list", "--json").stdout)
    assert told["status"] == "finished"
    assert f"its training is finished, as run {told['id']} in penstock runs list" in last
    assert "marked stopped" not in last


def test_output_and_a_predictor_are_refused_before_the_training(app: Path) -> None:
    text = APP.replace(
        "LogisticRegression, dataset=customers)\nother",
        "LogisticRegression, dataset=customers, output=penstock.Output(names=[0, 1]))\nother",
    )
    assert text != APP
    app.write_text(text + REGISTERING.format(what="return fitted.predict(X)"))
    done = run("train", "app:model")
    assert done.returncode != 0
    assert "has output= and is given a predictor, which both say what is answered" in done.stderr
    assert "fitting" not in done.stdout + done.stderr
    assert json.loads(run("runs", "list", "--json").stdout) == []


def test_the_digest_of_data_is_that_of_its_values() -> None:
    from penstock._app.origin import data_of

    rows = frame()
    digest = data_of(rows)["digest"]
    assert data_of(rows.copy())["digest"] == digest
    assert data_of(rows.iloc[::-1])["digest"] != digest
    assert data_of(rows.rename(columns={"a": "c"}))["digest"] != digest
    assert data_of(rows.astype({"a": np.float32}))["digest"] != digest
    changed = rows.copy()
    changed.loc[7, "b"] = np.nextafter(changed.loc[7, "b"], 10)
    assert data_of(changed)["digest"] != digest
    assert data_of(rows.to_numpy())["digest"] == data_of(rows.to_numpy().copy())["digest"]
    assert data_of([1, 2])["digest"] == data_of([1, 2])["digest"] != data_of([2, 1])["digest"]
    assert data_of(iter([1]))["digest"] is None


def test_git_tells_the_commit_and_what_differs(tmp_path: Path) -> None:
    from penstock._app.origin import git_of

    assert git_of(tmp_path / "none") is None
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    for words in (
        ["init", "-q"],
        ["config", "user.email", "a@b"],
        ["config", "user.name", "a"],
        ["add", "file"],
        ["commit", "-qm", "first"],
    ):
        (tmp_path / "file").write_text("one")
        subprocess.run(["git", *words], cwd=tmp_path, check=True, env=environment)
    told_ = git_of(tmp_path)
    assert told_ is not None
    assert told_["is_clean"] and len(told_["commit"]) == 40
    (tmp_path / "file").write_text("two")
    assert git_of(tmp_path) == {**told_, "is_clean": False, "changed": ["file"]}


def test_reports_of_many_steps_cost_few_writes() -> None:
    model = churn()

    @model.trainer
    def fit(estimator: Any, X: Any, y: Any) -> Any:
        for step in range(2000):
            penstock.report(step=step, loss=1.0)
        return estimator.fit(X, y.squeeze())

    model.train()
    assert len(penstock.runs()[0].reports) == 2000


NEEDS_PYTHON = """
from rounding import rounded

@model.predictor
def predict(fitted: LogisticRegression, X: pd.DataFrame) -> list[float]:
    return [rounded(p) + (age > 0) for p, age in zip(fitted.predict_proba(X)[:, 1], X["age"])]
"""


def test_an_app_that_needs_python_goes_along_with_its_modules(app: Path, tmp_path: Path) -> None:
    app.write_text(APP + NEEDS_PYTHON)
    (tmp_path / "rounding.py").write_text("def rounded(x): return round(float(x), 1)\n")
    done = run("train", "app:model")
    assert done.returncode == 0, done.stderr
    assert "churn@1  not native" in done.stdout
    version = penstock.load("churn")
    source = Path(version._unpacked.path) / "python" / "source"
    assert sorted(path.name for path in source.iterdir()) == ["app.py", "rounding.py"]
    for path in tmp_path.glob("*.py"):
        path.unlink()
    rows = pd.DataFrame({"age": [-2.0, 2.0], "income": [0.0, 0.0]})
    assert version.predict(rows)[1] == 2.0
    with version.serve() as service:
        assert service.is_running


def test_an_app_that_reads_at_import_is_told_so(app: Path, tmp_path: Path) -> None:
    (tmp_path / "ages.csv").write_text("1.0")
    (tmp_path / "rounding.py").write_text("def rounded(x): return round(float(x), 1)\n")
    app.write_text("ages = open('ages.csv').read()\n" + APP + NEEDS_PYTHON)
    done = run("train", "app:model")
    assert done.returncode == 2, done.stderr
    told = done.stderr.splitlines()[-1]
    assert "it cannot be loaded, for 'ages.csv' is not there for line 1 of 'app.py'" in told
    assert "open within the reader what only training needs" in told
    assert run("models", "list").stdout == ""
