"""What goes into a package for Python workers, what is refused, and the process that tries it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import penstock
from penstock import Contents, InvalidArgumentError

X = np.arange(12.0).reshape(6, 2)
AWS = "AKIA" + "IOSFODNN7EXAMPLE"

APP = """
import numpy as np
import penstock
{above}

class Mine:
    def predict(self, X):
        {body}

X = np.arange(12.0).reshape(6, 2)
version = penstock.register(Mine(), X, name="mine"{more})
"""


class App:
    """A script app.py in a folder of its own, run in this process as `__main__`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def register(self, above: str, body: str, more: str = "") -> penstock.ModelVersion:
        path = self.write("app.py", APP.format(above=above, body=body, more=more))
        names: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
        exec(compile(path.read_text(), str(path), "exec"), names)
        version: penstock.ModelVersion = names["version"]
        return version

    def refusal(self, above: str, body: str, more: str = "") -> str:
        """Return what is told, after a look that nothing was left in the registry."""
        with pytest.raises(InvalidArgumentError) as error:
            self.register(above, body, more)
        assert penstock.models() == []
        home = self.folder / "home"
        assert [path for path in home.glob("objects/**/*") if path.is_file()] == []
        assert list(home.glob("packages/*")) == []
        return str(error.value)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.syspath_prepend(str(tmp_path))
    return App(tmp_path)


def source_of(version: penstock.ModelVersion) -> list[str]:
    source = Path(version._unpacked.path) / "python" / "source"
    return sorted(path.relative_to(source).as_posix() for path in source.rglob("*.*"))


def test_modules_beside_the_app_go_along_with_what_they_import(app: App) -> None:
    app.write(
        "scaling_a.py", "import inner_a\n\ndef scaled(X): return X.sum(axis=1) * inner_a.BY\n"
    )
    app.write("inner_a.py", "BY = 3.0\n")
    app.write("late_a.py", "SHIFT = 1.0\n")
    version = app.register("import scaling_a", "import late_a; return scaling_a.scaled(X)")
    assert source_of(version) == ["inner_a.py", "late_a.py", "scaling_a.py"]
    package = Path(version._unpacked.path) / "python"
    required = package.joinpath("requirements.txt").read_text()
    assert f"\nnumpy=={np.__version__}\n" in required
    assert "pandas" not in required  # which the model does not use
    assert "penstock" not in required.splitlines()[1:]
    assert "class Mine:" not in package.joinpath("source", "scaling_a.py").read_text()


def test_a_module_of_a_computed_name_is_missed_until_it_is_listed(app: App) -> None:
    app.write("hidden_b.py", "BY = 3.0\n")
    computed = ("import importlib", "return X[:, 0] * importlib.import_module('hidden' + '_b').BY")
    told = app.refusal(*computed)
    assert "a new Python process cannot import 'hidden_b', which it needs: put it beside" in told
    assert "Contents(include=['hidden_b.py'])" in told
    listed = ', contents=penstock.Contents(include=["hidden_b.py"])'
    assert source_of(app.register(*computed, listed)) == ["hidden_b.py"]


def test_every_missing_module_is_named(app: App) -> None:
    for name in ("first_c", "second_c"):
        app.write(f"elsewhere/site-packages/{name}.py", "")
    app.write("uses_c.py", "import first_c\nimport second_c\n")
    sys.path.append(str(app.folder / "elsewhere" / "site-packages"))
    try:
        told = app.refusal("import uses_c", "return X[:, 0] + len(uses_c.__name__)")
    finally:
        sys.path.pop()
    assert "cannot import 'first_c' and 'second_c', which it needs" in told
    assert "put them beside the app, so that they are packed, or install them" in told


def test_a_table_beside_a_module_is_opened_there_when_it_is_listed(app: App) -> None:
    app.write("rates_d.csv", "2.5\n")
    app.write(
        "table_d.py",
        "from pathlib import Path\n"
        "def rate(): return float((Path(__file__).parent / 'rates_d.csv').read_text())\n",
    )
    opening = ("import table_d", "return X[:, 0] * table_d.rate()")
    told = app.refusal(*opening)
    assert "rates_d.csv' is not there for line 2 of 'table_d.py'" in told
    told = app.refusal(*opening, ", contents=penstock.Contents(include=['rate_d.csv'])")
    assert "contents lists 'rate_d.csv', which is not in the app's folder" in told
    assert "Did you mean 'rates_d.csv'?" in told
    version = app.register(*opening, ", contents=penstock.Contents(include=['rates_d.csv'])")
    np.testing.assert_array_equal(version.predict(X), X[:, 0] * 2.5)


def test_a_file_of_the_working_directory_is_not_there_in_a_worker(app: App) -> None:
    app.write("lookup.txt", "2.0")
    told = app.refusal("", "return X[:, 0] * float(open('lookup.txt').read())")
    assert "process it cannot predict, for 'lookup.txt' is not there for line 8 of 'app.py'" in told
    assert "read into a variable that goes along" in told


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def test_where_git_keeps_the_folder_untracked_files_must_be_listed(app: App) -> None:
    git(app.folder, "init", "-q")
    app.write("kept_e.py", "BY = 3.0\n")
    app.write("pack_e/__init__.py", "")
    app.write("pack_e/scratch.py", "this is no Python")
    git(app.folder, "add", "pack_e/__init__.py")
    using = ("import kept_e, pack_e", "return X[:, 0] * kept_e.BY + len(pack_e.__name__)")
    told = app.refusal(*using)
    assert f"'{app.folder}/kept_e.py', which git does not track: git add it, or list it" in told
    assert "Contents(include=['kept_e.py'])" in told
    listed = ", contents=penstock.Contents(include=['kept_e.py'])"
    assert source_of(app.register(*using, listed)) == ["kept_e.py", "pack_e/__init__.py"]
    git(app.folder, "add", "kept_e.py")
    assert source_of(app.register(*using)) == ["kept_e.py", "pack_e/__init__.py"]


def test_a_module_outside_of_the_folder_is_refused(app: App, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far_f.py").write_text("BY = 3.0\n")
    sys.path.append(str(elsewhere))
    try:
        told = app.refusal("import far_f", "return X[:, 0] * far_f.BY")
    finally:
        sys.path.pop()
    assert f"its module 'far_f' is '{elsewhere}/far_f.py', outside of the app's folder" in told
    assert "put it into that folder, or install it as a package" in told


def test_a_large_variable_is_told_by_name_and_size(app: App) -> None:
    above = "import pandas as pd\nhistory = pd.DataFrame({'a': np.zeros(1_000_000)})"
    body = "return X[:, 0] + history['a'].iloc[0]"
    limit = ", contents=penstock.Contents(mb_max={})"
    told = app.refusal(above, body, limit.format(5))
    assert "'Mine.predict' takes the variable 'history' along, a DataFrame of 7.6 MiB" in told
    assert "5.0 MiB is the limit" in told
    assert "Contents(mb_max=...)" in told
    nested = "kept = [{'rows': np.zeros(1_000_000)}]"
    told = app.refusal(nested, "return X[:, 0] + len(kept)", limit.format(5))
    assert "the variable 'kept' along, a list of more than 5.0 MiB" in told
    assert app.register(above, body).version == 1


def test_a_variable_that_cannot_be_pickled_is_named(app: App) -> None:
    above = "import sqlite3\ndb = sqlite3.connect(':memory:')"
    told = app.refusal(above, "return X[:, 0] * db.total_changes")
    assert "takes the variable 'db' along, a Connection, which cannot be pickled" in told
    assert "make it within the function" in told


def test_large_files_are_told_with_the_largest(app: App) -> None:
    app.write("large_g.txt", "x" * 2_000_000)
    app.write("small_g.txt", "x")
    listed = ", contents=penstock.Contents(include=['small_g.txt', 'large_g.txt'], mb_max=1)"
    told = app.refusal("", "return X[:, 0]", listed)
    assert f"the largest of them is '{app.folder}/large_g.txt' with 1.9 MiB" in told
    assert "1.0 MiB is the limit: leave it out, or pass contents=penstock.Contents(mb" in told


def test_a_secret_is_told_by_its_place_and_never_shown(app: App) -> None:
    line = f"import math\nKEY = '{AWS}'"
    path = app.write("keys_h.py", line + "\n")
    using = ("import keys_h", "return X[:, 0] * len(keys_h.KEY)")
    told = app.refusal(*using)
    assert f"line 2 of '{path}' holds what looks like an AWS access key" in told
    assert "read it from the environment" in told
    assert AWS not in told
    app.write("keys_h.py", f"{line}  # penstock: not a secret\n")
    assert app.register(*using).version == 1


def test_a_secret_in_an_object_is_found(app: App) -> None:
    app.write("client_j.py", "class Client:\n    def __init__(self, key): self.key = key\n")
    above = f"import client_j\nclient = client_j.Client('{AWS[:4]}' + '{AWS[4:]}')"
    told = app.refusal(above, "return X[:, 0] * len(client.key)")
    assert "an object that goes along holds what looks like an AWS access key" in told
    assert AWS not in told
    pardon = ", contents=penstock.Contents(not_secret=['model.pickle'])"
    assert app.register(above, "return X[:, 0] * len(client.key)", pardon).version == 1


def test_attributes_of_a_class_are_variables_too(app: App) -> None:
    body = "return X[:, 0] * len(self.rows)\n    rows = np.zeros(1_000_000)"
    told = app.refusal("", body, ", contents=penstock.Contents(mb_max=5)")
    assert "'Mine' takes the variable 'rows' along, a ndarray of 7.6 MiB" in told


@pytest.mark.parametrize(
    ("above", "body"),
    [
        ("import abc\nclass Base(abc.ABC):\n    BY = 2.0", "return X[:, 0] * Base.BY"),
        ("import enum\nclass Kind(enum.Enum):\n    A = 2.0", "return X[:, 0] * Kind.A.value"),
        (
            "import dataclasses\n@dataclasses.dataclass\nclass By:\n    by: float = 2.0",
            "return X[:, 0] * By().by",
        ),
        (
            "from sklearn.base import BaseEstimator\nclass Own(BaseEstimator):\n    BY = 2.0",
            "return X[:, 0] * Own().BY",
        ),
        (
            "import typing\nclass Pair(typing.NamedTuple):\n    by: float = 2.0",
            "return X[:, 0] * Pair().by",
        ),
    ],
    ids=["ABC", "Enum", "dataclass", "BaseEstimator", "NamedTuple"],
)
def test_classes_of_every_kind_go_along(app: App, above: str, body: str) -> None:
    np.testing.assert_array_equal(app.register(above, body).predict(X), X[:, 0] * 2)


def test_a_link_out_of_the_folder_is_not_followed(app: App, tmp_path_factory: Any) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "far.txt"
    secret.write_text("far")
    (app.folder / "listed").mkdir()
    (app.folder / "listed" / "near.txt").symlink_to(secret)
    told = app.refusal("", "return X[:, 0]", ", contents=penstock.Contents(include=['listed'])")
    assert f"near.txt' is a link to '{secret}', outside of the app's folder" in told


def test_a_secret_in_a_variable_is_told_by_its_name(app: App) -> None:
    word = "hunter2"
    using = (f"DB_PASSWORD = '{word}'", "return X[:, 0] * len(DB_PASSWORD)")
    told = app.refusal(*using)
    assert "'Mine.predict' takes the variable 'DB_PASSWORD' along" in told
    assert "looks like a password" in told
    assert word not in told
    version = app.register(*using, ", contents=penstock.Contents(not_secret=['DB_PASSWORD'])")
    assert version.version == 1


def test_a_file_of_secrets_is_refused_by_its_name(app: App) -> None:
    app.write("prod.env", "PLAIN=1\n")
    listed = ", contents=penstock.Contents(include=['prod.env']{})"
    told = app.refusal("", "return X[:, 0]", listed.format(""))
    assert "prod.env' is a file of secrets by its name" in told
    version = app.register("", "return X[:, 0]", listed.format(", not_secret=['prod.env']"))
    assert source_of(version) == ["prod.env"]


def test_what_depends_on_this_process_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    app.write("state_i.py", "FACTOR = 1.0\n")
    told = app.refusal("import state_i\nstate_i.FACTOR = 3.0", "return X[:, 0] * state_i.FACTOR")
    assert "a new Python process answers row 1 with 2.0, and this one with 6.0" in told
    monkeypatch.setenv("SERVICE_TOKEN", "here")
    told = app.refusal("import os", "return X[:, 0] * len(os.environ['SERVICE_TOKEN'])")
    assert "in a new Python process it cannot predict, at line 8 of 'app.py': KeyErr" in told


def test_probabilities_are_held_against_each_other_too(app: App) -> None:
    app.write("odds_k.py", "ODDS = 0.5\n")
    body = (
        "return np.where(X[:, 0] > 3, 'yes', 'no')\n"
        "    classes_ = np.array(['no', 'yes'])\n"
        "    def predict_proba(self, X):\n"
        "        return np.column_stack([1 - odds_k.ODDS + 0 * X[:, 0], odds_k.ODDS + 0 * X[:, 0]])"
    )
    told = app.refusal("import odds_k\nodds_k.ODDS = 0.25", body)
    assert "a new Python process answers row 0 with 0.5, and this one with 0.75" in told
    version = app.register("import odds_k\nodds_k.ODDS = 0.5", body)
    assert version.signature["has_probabilities"]


@pytest.mark.parametrize(
    "answer", ["[1, 2.5]", "[1, 2]", "[True, False]", "['a', 'b']", "[1.5, float('nan')]"]
)
def test_answers_in_an_array_of_objects_are_the_same(app: App, answer: str) -> None:
    body = f"return np.array(({answer} * 3)[:len(X)], dtype=object)"
    assert app.register("", body).engine == "python"


def test_the_process_has_nothing_of_this_one(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(app.folder))
    monkeypatch.setenv("PGPASSWORD", "here")
    above = "import os, sys\nhere, folder = os.getpid(), os.getcwd()"
    looks = (
        "if os.getpid() == here: return X[:, 0]\n"
        "        known = [path for path in sys.path if not path or path.startswith(folder)]\n"
        "        raise RuntimeError(f'{known} {os.listdir()} {os.environ.get(\"PGPASSWORD\")}')"
    )
    assert "at line 11 of 'app.py': RuntimeError: [] [] None" in app.refusal(above, looks)


def test_a_model_of_chance_is_not_held_against_itself(app: App) -> None:
    assert app.register("", "return np.random.default_rng().normal(size=len(X))").version == 1


def test_a_process_that_ends_is_told(app: App) -> None:
    above = "import os\nhere = os.getpid()"
    told = app.refusal(above, "return X[:, 0] if os.getpid() == here else os._exit(3)")
    assert "the new Python process that was to load it ended with code 3" in told


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"include": "a.csv"}, r"include is 'a.csv'; a list was expected: include=\['a.csv'\]"),
        ({"not_secret": "A"}, r"not_secret is 'A'; a list was expected"),
        ({"mb_max": 0}, "mb_max is 0; a number above 0 was expected"),
    ],
)
def test_contents_that_are_none_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError, match=sentence):
        Contents(**settings)


def test_a_model_of_an_app_hands_its_contents_on(app: App) -> None:
    app.write("regions.csv", "1.0")
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "y": [0, 1, 0, 1]})
    data = penstock.Dataset("d", source=lambda: frame, targets=["y"], test_size=0)
    contents = Contents(include=["regions.csv"])

    def model(**settings: Any) -> penstock.Model:
        made = penstock.Model("m", LogisticRegression, dataset=data, **settings)
        made.predictor(lambda fitted, X: fitted.decision_function(X))
        made.train()
        return made

    # The app's folder is that of this file, which calls, and not the working directory.
    with pytest.raises(InvalidArgumentError, match="contents lists 'regions.csv', which is not in"):
        model(contents=contents).register()
    with pytest.raises(InvalidArgumentError, match="contents lists 'nothing.csv', which is not in"):
        model(contents=contents).register(contents=Contents(include=["nothing.csv"]))
    model().register()


@pytest.mark.parametrize(
    "value",
    [
        f"b{AWS!r}",
        repr({"client": {"pass" + "word": "hunter2hunter2"}}),
        repr(["x", "postgresql://ann:s3cr3t" + "@db/x"]),
    ],
)
def test_secrets_in_bytes_dictionaries_and_lists(app: App, value: str) -> None:
    told = app.refusal(f"CONF = {value}", "return X[:, 0] * len(CONF)")
    assert "the variable 'CONF' along, which holds what looks like" in told
    assert "hunter2" not in told and "s3cr3t" not in told and AWS not in told


def test_a_listed_folder_brings_nothing_hidden_and_what_git_tracks(app: App) -> None:
    for name in ("kept.txt", "left.txt", ".venv/lib.txt", ".penstock/registry.txt"):
        app.write(name, "text")
    git = ["git", "-C", str(app.folder), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "kept.txt"], check=True)
    more = ', contents=penstock.Contents(include=["."])'
    version = app.register("", "return X[:, 0]", more)
    assert source_of(version) == ["kept.txt"]


def test_what_workers_are_not_given_is_missing_in_the_new_process_too(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///x.db")
    told = app.refusal("import os", 'return X[:, 0] + len(os.environ["DATABASE_URL"])')
    assert "DATABASE_URL" in told
