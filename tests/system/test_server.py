"""What penstock-server answers."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import packages
import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers import Server, serving


@pytest.mark.parametrize(
    "features",
    [
        [{"age": 1, "income": 10.0}, {"income": 20, "age": 2.0}],
        [[1, 10], [2, 20.0]],
        {"age": [1, 2], "income": [10, 20]},
        {"income": [10, 20], "age": [1, 2]},
    ],
)
def test_the_shapes_of_a_request(server: Server, features: Any) -> None:
    status, headers, answer = server.predict(features)
    assert status == 200
    assert answer["predictions"] == [8.0, 15.0]
    assert (answer["model"], answer["version"]) == ("house", 3)
    assert re.fullmatch("[0-9a-f]{32}", answer["id"])
    assert headers["penstock-model"] == "house"
    assert headers["penstock-version"] == "3"
    assert headers["penstock-request-id"] == answer["id"]
    assert headers["content-type"] == "application/json"
    assert list(answer) == ["model", "version", "id", "predictions"]


def test_one_record_and_every_path(server: Server) -> None:
    for path in (
        "/predict",
        "/models/house/predict",
        "/models/house/versions/3/predict",
        "/models/h%6Fuse/predict",
    ):
        status, _, answer = server.predict({"age": 1, "income": 10}, path)
        assert (status, answer["predictions"]) == (200, [8.0]), path


def test_the_id_holds_the_time_and_the_callers_key_comes_back(server: Server) -> None:
    before = time.time_ns() // 1000
    _, headers, answer = server.request(
        "POST", "/predict", {"features": [[1, 1]]}, X_Request_Id="order-66"
    )
    assert headers["x-request-id"] == "order-66"
    assert answer["id"] != "order-66"
    assert before <= int(answer["id"][:16], 16) <= time.time_ns() // 1000
    _, headers, _ = server.request(
        "POST", "/predict", {"features": [[1, 1]]}, X_Request_Id="x" * 201
    )
    assert "x-request-id" not in headers
    ids = {server.predict([[1, 1]])[2]["id"] for _ in range(50)}
    assert len(ids) == 50
    assert len({i[16:24] for i in ids}) == 1


@pytest.mark.parametrize(
    ("body", "status", "pointer", "sentence"),
    [
        (
            {"features": [{"age": "30", "income": 1}]},
            422,
            "/features/0/age",
            "column 'age' is \"30\"; an integer was expected",
        ),
        ({"features": [{"age": 5.5, "income": 1}]}, 422, "/features/0/age", "5.5"),
        (
            {"features": [{"age": 1, "incme": 1}]},
            422,
            "/features/0/incme",
            "Did you mean 'income'?",
        ),
        ({"features": [{"age": 1}]}, 422, "/features/0", "'income'"),
        ({"features": [[1, None]]}, 422, "/features/0/1", "'income'"),
        ({"features": [[1, 2e9]]}, 422, "/features/0/1", "beyond 1e9 it was not checked"),
        ({"features": [[1, 2], [3]]}, 422, "/features/1", "1"),
        ({"features": []}, 422, "/features", "empty list"),
        ({"inputs": []}, 422, "/inputs", "'inputs' is not known"),
        ({"features": [[1, True]]}, 422, "/features/0/1", "true"),
        ([], 422, "", "the body is a list"),
        ('{"features": [[1, 1e999]]}', 422, "/features/0/1", "beyond the range of double"),
        ('{"features": [{"age": 1, "age": 2, "income": 1}]}', 422, "/features/0/age", "twice"),
        ('{"features": [[1, NaN]]}', 400, None, "not JSON: at byte 18"),
        ('{"features": [[1, Infinity]]}', 400, None, "not JSON"),
        ('{"features": [[1, 2]]', 400, None, "not JSON"),
        ("", 400, None, "empty"),
        (b'{"features": [["\xff", 2]]}', 400, None, "not UTF-8"),
        (
            '{"features": ' + "[" * 10_000 + "]" * 10_000 + "}",
            400,
            None,
            "objects and lists are nested too deep: level 65 opens at byte 76, and"
            " kJsonDepthMax = 64 are read; send one value a column, which takes 3 levels",
        ),
    ],
)
def test_what_bad_features_get(
    server: Server, body: Any, status: int, pointer: str | None, sentence: str
) -> None:
    got, headers, problem = server.request("POST", "/predict", body)
    assert got == status, problem
    assert headers["content-type"] == "application/problem+json"
    assert sentence in problem["detail"]
    assert problem.get("pointer") == pointer
    assert problem["status"] == status
    assert problem["title"] == {400: "Bad Request", 422: "Unprocessable Content"}[status]
    assert headers["penstock-request-id"]
    assert server.predict([[1, 10]])[2]["predictions"] == [8.0]


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        (
            "POST",
            "/models/hause/predict",
            404,
            "model 'hause' is not served here; there is 'house'. Did you mean 'house'?",
        ),
        (
            "POST",
            "/models/house/versions/4/predict",
            404,
            "version 4 of model 'house' is not served here; there is '3'",
        ),
        (
            "POST",
            "/models/house/versions/x/predict",
            404,
            "version 'x' of model 'house' is not a version",
        ),
        ("POST", "/models/house/versions/03/predict", 404, "is not a version"),
        ("POST", "/models/house/versions//predict", 404, "is not a version"),
        ("POST", "/models/house", 404, "nothing is served at '/models/house'"),
        ("POST", "/models//predict", 404, "model '' is not served here"),
        ("POST", "/models/%zz/predict", 400, "percent-encoded"),
        ("POST", "/predict/", 404, "nothing is served at '/predict/'"),
        ("GET", "/metrics", 404, "nothing is served at '/metrics'"),
        ("GET", "/predict", 405, "GET is not for '/predict'; POST with a JSON body was expected"),
        ("DELETE", "/health", 405, "GET was expected"),
    ],
)
def test_what_bad_paths_and_methods_get(
    server: Server, method: str, path: str, status: int, sentence: str
) -> None:
    got, headers, problem = server.request(
        method, path, {"features": [[1, 1]]} if method == "POST" else None
    )
    assert got == status
    assert sentence in problem["detail"]
    if status == 405:
        assert headers["allow"] == ("POST, OPTIONS" if path == "/predict" else "GET, HEAD, OPTIONS")


def test_too_many_rows(house: Path) -> None:
    with serving(house, "--batch-rows-max", "10") as running:
        assert running.predict([[1, 1]] * 10)[0] == 200
        status, _, problem = running.predict([[1, 1]] * 11)
        assert status == 413
        assert "more than 10 rows" in problem["detail"]


def test_a_large_batch_is_answered_off_the_loop(server: Server) -> None:
    features = [[i, i] for i in range(50_000)]
    status, _, answer = server.predict(features)
    assert status == 200
    assert answer["predictions"] == [2.5 * i + 1 for i in range(50_000)]


def test_probabilities_and_labels(tmp_path: Path) -> None:
    package = packages.classifier(tmp_path / "c", ["no", 'y"es', "ä"], [[1, 0], [0, 1], [0.5, 0.5]])
    with serving(package, spec="wörter@12") as running:
        _, headers, answer = running.predict([[2.0, 0.0], [0.0, 3.0]])
        assert answer["predictions"] == ["no", 'y"es']
        assert headers["penstock-model"] == "w%C3%B6rter"
        assert answer["model"] == "wörter"
        for row, z in zip(answer["probabilities"], [[2, 0, 1], [0, 3, 1.5]], strict=True):
            total = sum(math.exp(v) for v in z)
            assert row == pytest.approx([math.exp(v) / total for v in z], rel=1e-14)
        assert running.predict([[0, 0]], "/models/w%C3%B6rter/predict")[0] == 200


def test_an_infinite_answer_is_no_answer(tmp_path: Path) -> None:
    package = packages.linear(tmp_path / "p", [1e300], 0.0)
    with serving(package) as running:
        assert running.predict([[1e5]])[2]["predictions"] == [1e300 * 1e5]
        status, _, problem = running.predict([[1], [1e10]])
        assert status == 422
        assert "row 1 is infinite" in problem["detail"]


def test_values_beyond_the_limits_on_request(house: Path) -> None:
    with serving(house, "--beyond-limits", "answer") as running:
        assert running.predict([[0, 2e9]])[2]["predictions"] == [1e9 + 1]


def test_health(server: Server) -> None:
    assert server.request("GET", "/health/live")[0] == 200
    assert server.request("GET", "/health/ready")[0] == 200
    status, headers, health = server.request("GET", "/health")
    assert (status, health["status"]) == (200, "ready")
    assert headers["cache-control"] == "no-store"
    (model,) = health["models"]
    assert (model["name"], model["version"], model["default"]) == ("house", 3, True)
    assert re.fullmatch("[0-9a-f]{64}", model["digest"])
    assert model["engine"] == "own"
    assert model["parity"] == {"rows": 100, "differing": 0}
    assert health["route_source"] == {"kind": "pinned", "state": "ok", "epoch": 1}
    _, _, admin = server.request("GET", "/health", admin=True)
    assert admin["route_source"]["location"].endswith("/house")


def test_openapi_is_valid_and_its_schema_takes_what_the_server_takes(server: Server) -> None:
    status, _, document = server.request("GET", "/openapi.json")
    assert status == 200
    openapi_spec_validator.validate(document)
    schema = document["components"]["schemas"]["house.3.Request"]
    check = jsonschema.Draft202012Validator(schema).is_valid
    for features in (
        [[1, 2]],
        [{"age": 1.0, "income": 2}],
        {"age": 1, "income": 1},
        {"age": [1], "income": [1]},
    ):
        assert check({"features": features}), features
        assert server.predict(features)[0] == 200
    for features in (
        [],
        [[1]],
        [[1, None]],
        [[1.5, 1]],
        [{"age": 1}],
        {"age": ["x"], "income": [1]},
        [[1, 2e9]],
        [[1, 2, 3]],
    ):
        assert not check({"features": features}), features
        assert server.predict(features)[0] == 422
    answer = document["components"]["schemas"]["house.3.Answer"]
    jsonschema.Draft202012Validator(answer).validate(server.predict([[1, 2]])[2])


def test_metrics(server: Server) -> None:
    before = server.metrics()
    server.predict([[1, 1], [2, 2]])
    server.predict("x")
    server.predict([[1, 1]], "/models/made-up/predict")
    after = server.metrics()

    def grown(name: str) -> float:
        return after[name] - before[name]

    labels = 'model="house",version="3"'
    assert grown(f'penstock_requests_total{{{labels},code="200"}}') == 1
    assert grown(f'penstock_requests_total{{{labels},code="422"}}') == 1
    assert grown('penstock_requests_total{model="",version="",code="404"}') == 1
    assert grown(f"penstock_rows_total{{{labels}}}") == 2
    assert grown(f"penstock_request_duration_seconds_count{{{labels}}}") == 2
    assert grown(f'penstock_request_duration_seconds_bucket{{{labels},le="+Inf"}}') == 2
    assert 0 < grown(f"penstock_request_duration_seconds_sum{{{labels}}}") < 1
    assert after["penstock_ready"] == 1
    assert after["process_resident_memory_bytes"] > 1e6
    assert abs(after["process_start_time_seconds"] - time.time()) < 600
    assert not [name for name in after if "made-up" in name]


def test_metrics_are_in_the_text_format(server: Server) -> None:
    _, headers, text = server.request("GET", "/metrics", admin=True)
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert families["penstock_request_duration_seconds"] == "histogram"
    assert families["penstock_requests"] == "counter"
