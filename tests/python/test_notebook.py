"""Cells: captured, run again, served, shown; in a real kernel."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kernels import Kernel, front_end, running

import penstock
from penstock._html import Listing

SECONDS_MAX = 60

SETUP = """
import os, urllib.request
import numpy as np, pandas as pd, penstock
from sklearn.linear_model import LogisticRegression

frame = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 7, "y": [0, 1] * 20})
X, y = frame[["a", "b"]], frame["y"]
"""
DATASET = 'rows = penstock.Dataset("rows", targets=["y"], random_state=1)'
READER = """
@rows.reader
def read() -> pd.DataFrame:
    return frame.head({count})
"""
MODEL = 'model = penstock.Model("m", LogisticRegression, dataset=rows)'
TRAINER = """
@model.trainer
def fit(m: LogisticRegression, X: pd.DataFrame, y: pd.DataFrame) -> LogisticRegression:
    print("{word}", len(X))
    return m.fit(X, y.squeeze())
"""


@pytest.fixture(autouse=True)
def settings_of_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with running(tmp_path) as started:
        started.run(SETUP)
        yield started


def test_a_cell_that_is_run_again_replaces_what_it_declared(kernel: Kernel) -> None:
    kernel.run(DATASET)
    kernel.run(READER.format(count=20))
    kernel.run(MODEL)
    kernel.run(TRAINER.format(word="first"))
    assert kernel.run("_ = model.train()") == "first 16\n"
    assert kernel.run_again(4, TRAINER.format(word="second")) == ""
    assert kernel.run("_ = model.train()") == "second 16\n"
    after, before = (run.origin["code"]["parts"] for run in penstock.runs())
    assert after["read"] == before["read"]
    assert after["fit"] != before["fit"]
    # The dataset is another object now, and the model trains on that.
    kernel.run_again(1)
    kernel.run_again(2, READER.format(count=30))
    assert kernel.run("_ = model.train()") == "second 24\n"
    # The model too: a step that is not on it any more is told.
    kernel.run_again(3)
    told = kernel.run("_ = model.train()")
    assert "the Model 'm' was made again: the trainer 'fit' of the one before is not on it" in told
    assert "second" not in told
    assert kernel.run("_ = model.train()") == ""
    kernel.run_again(4)
    assert kernel.run("_ = model.train()") == "second 24\n"


def test_steps_may_disagree_until_the_other_cell_is_run_again(kernel: Kernel) -> None:
    kernel.run(DATASET)
    kernel.run(READER.format(count=20))
    kernel.run(
        "@rows.loader\ndef load(raw: pd.DataFrame) -> pd.DataFrame:\n    return raw\n" + MODEL
    )
    array = "@rows.reader\ndef read() -> np.ndarray:\n    return frame.to_numpy()"
    told = kernel.run_again(2, array)
    assert "the loader 'load' takes 'raw' as DataFrame, and the reader 'read' gives" in told
    failed = kernel.fails("model.train()")
    assert "the loader 'load' takes 'raw' as DataFrame, and the reader" in failed
    kernel.run(
        "@rows.loader\ndef load(raw: np.ndarray) -> pd.DataFrame:\n"
        "    return pd.DataFrame(raw, columns=frame.columns)"
    )
    assert "test" in kernel.run("model.train()[1]")


def test_two_of_no_name_are_two(kernel: Kernel) -> None:
    kernel.run("one = penstock.Dataset(targets=['y'])\nanother = penstock.Dataset(targets=['b'])")
    assert kernel.run("penstock.Model('m', LogisticRegression, dataset=one).dataset is one") == (
        "True"
    )


CELL_MODEL = """
SHIFT = 0.5
def shifted(values): return values + SHIFT
class Mine:
    def predict(self, X): return shifted(X["a"]) + scaling.BY
version = penstock.register(Mine(), X, name="mine")
"""


def test_functions_of_cells_go_along_with_their_globals_and_source(
    kernel: Kernel, tmp_path: Path
) -> None:
    (tmp_path / "scaling.py").write_text("BY = 3.0\n")
    kernel.run("import scaling\n" + CELL_MODEL)
    version = penstock.load("mine")
    package = Path(version._unpacked.path) / "python"
    functions = package.joinpath("functions.py").read_text()
    assert "def shifted(values): return values + SHIFT" in functions
    assert "class Mine:" in functions
    assert [path.name for path in package.joinpath("source").iterdir()] == ["scaling.py"]
    (tmp_path / "scaling.py").unlink()
    kernel.run('body = b\'{"features": [{"a": 1.0, "b": 0.0}]}\'')
    kernel.run("kind = {'Content-Type': 'application/json'}")
    served = kernel.run(
        "with version.serve() as service:\n"
        "    request = urllib.request.Request(service.url + '/predict', body, kind)\n"
        "    print(urllib.request.urlopen(request).read().decode())"
    )
    assert json.loads(served)["predictions"] == [4.5]


def test_a_module_that_only_the_kernel_can_import_is_named(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("BY = 3.0\n")
    kernel.run("import importlib\nscaling = lambda: importlib.import_module('bes' + 'ide')")
    told = kernel.fails(CELL_MODEL.replace("scaling.BY", "scaling().BY"))
    assert told.startswith("InvalidArgumentError: nothing was registered, for a new Python process")
    assert "a new Python process cannot import 'beside', which it needs: put it beside" in told
    kernel.run("import types, sys\nmade = sys.modules['made'] = types.ModuleType('made')")
    kernel.run("made.BY = 3.0")
    told = kernel.fails(CELL_MODEL.replace("scaling.BY", "made.BY"))
    assert "cannot import 'made'" in told
    assert penstock.models() == []


def test_a_table_that_a_cell_takes_along_is_refused_by_name(kernel: Kernel) -> None:
    kernel.run("history = pd.DataFrame({'x': np.zeros(30_000_000)})")
    told = kernel.fails(CELL_MODEL.replace("scaling.BY", "history['x'][0]"))
    assert "'Mine.predict' takes the variable 'history' along, a DataFrame of 228.9 MiB" in told
    assert penstock.models() == []


SERVE = "service = version.serve()"


def test_a_service_ends_when_its_cell_is_run_again(kernel: Kernel) -> None:
    kernel.run("version = penstock.register(LogisticRegression().fit(X, y), X, name='lr')")
    assert kernel.run(SERVE) == ""
    kernel.run("first = service")
    told = kernel.run_again(2)
    assert "the cell is run again: lr@1 on http://127.0.0.1:" in told
    assert kernel.run("first.is_running, service.is_running") == "(False, True)"
    told = kernel.run("other = version.serve()")
    assert "lr@1 still answers on http://127.0.0.1:" in told
    assert "penstock.services()[0].stop() ends it" in told
    assert kernel.run("penstock.services()[0].stop(), len(penstock.services())") == "(True, 1)"
    # Two of one execution are both wanted.
    assert "is stopped" not in kernel.run("both = [version.serve(), version.serve()]")
    assert kernel.run("[each.is_running for each in both]") == "[True, True]"


def test_a_cell_is_known_by_its_id_though_its_text_changes(tmp_path: Path) -> None:
    with front_end(tmp_path) as run:
        run("a", SETUP)
        run("b", "version = penstock.register(LogisticRegression().fit(X, y), X, name='lr')")
        assert run("c", SERVE) == ""
        told = run("c", f"# edited\n{SERVE}\nprint(len(penstock.services()))")
        assert "the cell is run again: lr@1 on http://127.0.0.1:" in told
        assert told.endswith("\n1\n")
        # Another cell of the same text is another cell.
        assert "still answers on" in run("d", f"# edited\n{SERVE}")


def test_the_end_of_the_kernel_ends_its_services(tmp_path: Path) -> None:
    with front_end(tmp_path) as run:
        run("a", SETUP)
        run("b", "version = penstock.register(LogisticRegression().fit(X, y), X, name='lr')")
        url = run("c", f"{SERVE}\nprint(service.url)").strip()
        urllib.request.urlopen(f"{url}/health/live").close()
    deadline = time.monotonic() + SECONDS_MAX
    with pytest.raises(urllib.error.URLError):
        while time.monotonic() < deadline:
            urllib.request.urlopen(f"{url}/health/live").close()
            time.sleep(0.01)


def test_tables_are_escaped_and_have_an_end() -> None:
    named = penstock.Dataset("<i>&", source="sqlite:///x.db?query=SELECT '<b>'", targets=["y"])
    html = named._repr_html_()
    assert "<i>" not in html and "<b>" not in html
    assert "&lt;i&gt;&amp;" in html
    assert html.count("<tr>") == html.count("</tr>") == 4
    run = penstock.Run(
        "0" * 32, "<m>", "failed", {"C": 1}, {}, {}, [], "<script>", "", datetime.now(UTC), None
    )
    assert "&lt;script&gt;" in run._repr_html_()
    many = Listing([run] * 60)._repr_html_()
    assert many.count("<tr>") == 51
    assert "and 10 more" in many
    assert "&lt;m&gt;" in many and "<m>" not in many


def test_things_are_shown_as_tables(kernel: Kernel) -> None:
    kernel.run(DATASET + "\nrows.reader(lambda: frame)\n" + MODEL + "\nmodel.train()")
    kernel.run("version = model.register()")
    run = penstock.runs()[0]
    for code, shown in {
        "version": "own evaluator",
        "version.parity": "the same answers",
        "penstock.models()": "<td",
        "penstock.runs()": run.id[:8],
        "penstock.runs()[0]": "finished",
        "penstock.services()": "none",
        "rows": "own reader",
        "model": "metric, test",
    }.items():
        html = kernel.html(code)
        assert shown in html, code
        assert "<script" not in html
    assert '<a href="http://127.0.0.1:' in kernel.html("service = version.serve()\nservice")


def test_two_that_one_execution_makes_are_two(kernel: Kernel) -> None:
    kernel.run(
        """
def make(count: int) -> penstock.Model:
    rows = penstock.Dataset("rows", source=lambda: frame.head(count), targets=["y"], test_size=0)
    return penstock.Model("m", LogisticRegression, dataset=rows)

first, second = make(10), make(30)
"""
    )
    told = kernel.run("len(first.dataset.read()), len(second.dataset.read())")
    assert "(10, 30)" in told
    assert "was made again" not in told
