"""penstock init and penstock check: a new app, and what a change to it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock._app.checking import breaking

ROOT = Path(__file__).resolve().parents[2]


def penstock(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *arguments],
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if key != "PENSTOCK_HOME"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    made = penstock("init", "shop", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    return tmp_path / "shop"


def change(app: Path, before: str, after: str) -> None:
    text = (app / "app.py").read_text()
    assert before in text
    (app / "app.py").write_text(text.replace(before, after))


def test_the_app_of_init_works_as_its_readme_says(app: Path) -> None:
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=app,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout
    assert "2 passed" in tests.stdout
    assert not (app / ".penstock").exists()  # its tests keep a registry of their own

    checked = penstock("check", "app:model", cwd=app)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.splitlines()[0].startswith("ok      training   train accuracy 0.")
    assert "own evaluator in float64 agreed on 400 rows" in checked.stdout
    assert "there is no version to compare with" in checked.stdout
    assert not (app / ".penstock").exists()  # nothing is registered

    trained = penstock("train", "app:model", cwd=app)
    assert trained.returncode == 0, trained.stderr
    predicted = penstock("predict", "shop", "--features", "sample.json", cwd=app)
    assert json.loads(predicted.stdout)["predictions"][0] in ("left", "stayed")


def test_what_callers_would_notice_fails_the_check(app: Path) -> None:
    assert penstock("train", "app:model", cwd=app).returncode == 0
    same = penstock("check", "app:model", "--native", "--examples", "sample.json", cwd=app)
    assert same.returncode == 0, same.stdout
    assert "(was 0." in same.stdout
    assert "what shop@1 takes and answers, this one does too" in same.stdout
    assert "11 were answered" in same.stdout

    change(app, '["age", "orders", "spent"]', '["age", "orders"]')
    change(
        app,
        'targets=["outcome"], random_state=7)',
        'targets=["outcome"], random_state=7, features=["age", "orders", "plan"])',
    )
    narrower = penstock("check", "app:model", "--json", cwd=app)
    assert narrower.returncode == 7
    assert "2 of 5 checks failed: 'signature' and 'examples'" in narrower.stderr
    found: dict[str, Any] = {each["name"]: each for each in json.loads(narrower.stdout)}
    assert found["signature"]["more"] == ["the column 'spent' is not taken any more"]
    assert "spent" in found["examples"]["more"][0]
    listed = json.loads(penstock("models", "list", "--json", cwd=app).stdout)
    assert [version["version"] for version in listed] == [1]


def test_a_model_that_must_be_native_and_is_not(app: Path) -> None:
    change(app, "import LogisticRegression", "import LogisticRegression, RANSACRegressor")
    with (app / "app.py").open("a") as file:
        file.write(
            "\n\n@model.predictor\ndef predict(model: Pipeline, X: pd.DataFrame) -> list[str]:\n"
            "    return [str(label) + str(len(X.columns)) for label in model.predict(X)]\n"
        )
    told = penstock("check", "app:model", "--native", cwd=app)
    assert told.returncode == 7
    assert "FAILED  engine     " in told.stdout
    assert penstock("check", "app:model", cwd=app).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["app:modle"], 3, "Did you mean 'model'?"),
        (["app:model", "--against", "shop@9"], 3, "there is no"),
        (["app:model", "--examples", "none.json"], 3, "'none.json' cannot be read"),
        (["app:model", "--set", "C"], 2, "--set was given 'C'; name=value was expected"),
    ],
)
def test_what_it_cannot_take(app: Path, arguments: list[str], code: int, sentence: str) -> None:
    refused = penstock("check", *arguments, cwd=app)
    assert refused.returncode == code, refused.stderr
    assert sentence in refused.stderr


def test_an_exception_of_the_app_stands_with_its_traceback(app: Path) -> None:
    change(app, '    return model.fit(X, y["outcome"])', '    raise OSError("the disk is gone")')
    failed = penstock("check", "app:model", cwd=app)
    assert failed.returncode == 1
    assert 'raise OSError("the disk is gone")' in failed.stderr
    assert failed.stderr.endswith(
        "penstock: the training of 'shop' failed, OSError: the disk is gone\n"
    )


def column(name: str, **changed: Any) -> dict[str, Any]:
    return {"name": name, "type": "float64", "allows_missing": True} | changed


def signature(*inputs: dict[str, Any], **changed: Any) -> dict[str, Any]:
    plain = {"has_probabilities": True, "prediction": {"type": "string", "width": 0}}
    labels = {"classes": {"labels": ["no", "yes"]}}
    return {"inputs": list(inputs)} | plain | labels | changed


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (signature(column("a")), []),
        (signature(column("a"), column("b")), ["the column 'b' is needed"]),
        (signature(), ["the column 'a' is not taken any more"]),
        (signature(column("a", type="string")), ["the column 'a' is string, it was float64"]),
        (
            signature(column("a", allows_missing=False)),
            ["the column 'a' may not be missing any more"],
        ),
        (signature(column("a"), has_probabilities=False), ["there are no probabilities any more"]),
        (
            signature(column("a"), classes={"labels": ["no", "yes", "perhaps"]}),
            ["the classes are ['no', 'yes', 'perhaps'], they were ['no', 'yes']"],
        ),
    ],
)
def test_what_breaks_callers(after: dict[str, Any], told: list[str]) -> None:
    assert breaking(signature(column("a")), after) == told


def test_a_wider_type_and_fewer_categories() -> None:
    whole, real = signature(column("a", type="int64")), signature(column("a"))
    assert breaking(whole, real) == []
    assert breaking(real, whole) == ["the column 'a' is int64, it was float64"]
    three = signature(column("a", type="string", categories=["x", "y", "z"]))
    two = signature(column("a", type="string", categories=["x", "y"]))
    assert breaking(three, two) == ["the column 'a' does not take 'z' any more"]
    assert breaking(two, three) == []
    anything = signature(column("a", type="string"))
    assert breaking(anything, two) == ["the column 'a' takes 'x' and 'y' alone, it took any text"]
    assert breaking(two, anything) == []


def test_bounds_infinity_and_true_for_a_number() -> None:
    flag = signature(column("a", type="bool"))
    told = ["the column 'a' is int64, it was bool"]  # a service refuses true for a number
    assert breaking(flag, signature(column("a", type="int64"))) == told
    near = signature(column("a", abs_max={"value": 100.0, "reason": "so"}))
    far = signature(column("a", abs_max={"value": 1e9, "reason": "so"}))
    free = signature(column("a", allows_infinity=True))
    assert breaking(near, far) == []
    assert breaking(far, near) == [
        "the column 'a' takes up to 100 in absolute value, it took up to 1e+09"
    ]
    assert breaking(free, near) == [
        "the column 'a' may not be infinite any more",
        "the column 'a' takes up to 100 in absolute value, it took any number",
    ]
