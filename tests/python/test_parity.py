"""penstock parity: looking at what differs, and accepting it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.ensemble import HistGradientBoostingRegressor

import _penstock
import penstock


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(_penstock.binary_dir) / "penstock"), *arguments],
        env=os.environ | {"PENSTOCK_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


Nearly = tuple[penstock.ModelVersion, pd.DataFrame, list[float], Path]


@pytest.fixture(scope="module")
def nearly(tmp_path_factory: pytest.TempPathFactory) -> Nearly:
    """Register trees that float32 sends another way on a few rows, for ONNX Runtime alone."""
    home = tmp_path_factory.mktemp("nearly") / "home"
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(1000, 1, (2000, 2)), columns=["a", "b"])
    y = (X["a"] - 1000) ** 2 + X["b"] - 1000
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(X, y)
    version = penstock.register(model, X, name="nearly", engine="onnxruntime", home=home)
    return version, X, model.predict(X).tolist(), home


def test_few_rows_that_differ_may_be_accepted(nearly: Nearly) -> None:
    version, X, expected, home = nearly
    assert version.engine == "python"
    differing = version.parity.differing
    assert differing and differing <= 0.05 * len(X)
    assert "penstock parity accept" in version.engine_reason

    shown = command(home, "parity", "show", "nearly")
    assert shown.returncode == 0
    assert "  the model " in shown.stdout and "  native    " in shown.stdout
    assert json.loads(command(home, "parity", "show", "nearly", "--json").stdout)["rows"] == len(X)

    strict = command(home, "parity", "accept", "nearly@1", "--share", "1e-6", "--because", "so")
    assert strict.returncode == 7
    assert f"{differing} of 2,000 rows differ, so up to " in strict.stderr
    assert "penstock parity show nearly@1" in strict.stderr

    because = "the price is rounded to whole euros"
    done = command(home, "parity", "accept", "nearly@1", "--share", "0.05", "--because", because)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nearly@2: ONNX Runtime")
    assert because in done.stdout and "nearly@1 stays as it was" in done.stdout

    accepted = penstock.load("nearly@2", home=home)
    assert accepted.engine == "onnxruntime"
    answers = np.asarray(accepted.predict(X))
    assert 0 < (~np.isclose(answers, expected, rtol=1e-5)).sum() <= 2 * differing
    with accepted.serve() as service:
        health = requests.get(service.url + "/health", timeout=60).json()
    assert "onnxruntime" in json.dumps(health)
    with sqlite3.connect(home / "registry.db") as registry:
        (details,) = registry.execute(
            "SELECT details FROM audit WHERE action = 'accept'"
        ).fetchone()
    assert json.loads(details)["because"] == because
    assert because in command(home, "models", "show", "nearly").stdout
    assert penstock.load("nearly@1", home=home).engine == "python"

    again = command(home, "parity", "accept", "nearly@2", "--share", "0.05", "--because", because)
    assert again.returncode == 7
    assert "it is native already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--share", "0.2", "--because", "x"], "the share is 0.2; more than 0 and at most 0.05"),
        (["--share", "0.01", "--because", ""], "the reason has 0 bytes"),
        (["--share", "few", "--because", "x"], "--share"),
        (["--share", "0.01"], "--because is required"),
    ],
)
def test_what_accept_cannot_take(nearly: Nearly, arguments: list[str], sentence: str) -> None:
    home = nearly[3]
    before = penstock.load("nearly", home=home).version
    refused = command(home, "parity", "accept", "nearly@1", *arguments)
    assert refused.returncode == 2, refused.stderr
    assert sentence in refused.stderr
    assert penstock.load("nearly", home=home).version == before
