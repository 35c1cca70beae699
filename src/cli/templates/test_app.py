"""The model learns something, and its service answers as it does."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from app import customers, model


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what tests register out of the registry of the project."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "registry"))


def test_it_is_better_than_guessing() -> None:
    _, metrics = model.train()
    assert metrics["test"]["auc"] > 0.7


def test_the_service_answers_as_the_model() -> None:
    model.train()
    version = model.register()
    assert version.engine == "own", version.engine_reason
    rows = customers.read().drop(columns="outcome").head(5)
    with version.serve() as service:
        body = json.dumps({"features": rows.to_dict(orient="records")}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(service.url + "/predict", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["predictions"] == list(model.predict(rows))
