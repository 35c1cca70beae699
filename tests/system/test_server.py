"""penstock-server as its users and its enemies meet it."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
from prometheus_client.parser import text_string_to_metric_families

sys.path.insert(0, str(Path(__file__).parent))
import packages  # noqa: E402
from servers import SECONDS_MAX, Server, binary, serving, wait_until  # noqa: E402


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression on named columns: 2 x age + 0.5 x income + 1."""
    inputs = [
        packages.column("age", "int64"),
        packages.column("income", abs_max={"value": 1e9, "refused_by_original": False, "reason": "beyond 1e9 it was not checked"}),
    ]
    return packages.linear(tmp_path_factory.mktemp("p") / "house", [2.0, 0.5], 1.0, inputs=inputs)


@pytest.fixture(scope="module")
def server(house: Path) -> Iterator[Server]:
    with serving(house, "--loops", "2", spec="house@3") as running:
        yield running


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
    for path in ("/predict", "/models/house/predict", "/models/house/versions/3/predict", "/models/h%6Fuse/predict"):
        status, _, answer = server.predict({"age": 1, "income": 10}, path)
        assert (status, answer["predictions"]) == (200, [8.0]), path


def test_the_id_holds_the_time_and_the_callers_key_comes_back(server: Server) -> None:
    before = time.time_ns() // 1000
    _, headers, answer = server.request("POST", "/predict", {"features": [[1, 1]]}, X_Request_Id="order-66")
    assert headers["x-request-id"] == "order-66"
    assert answer["id"] != "order-66"
    assert before <= int(answer["id"][:16], 16) <= time.time_ns() // 1000
    _, headers, _ = server.request("POST", "/predict", {"features": [[1, 1]]}, X_Request_Id="x" * 201)
    assert "x-request-id" not in headers
    ids = {server.predict([[1, 1]])[2]["id"] for _ in range(50)}
    assert len(ids) == 50
    assert len({i[16:24] for i in ids}) == 1


@pytest.mark.parametrize(
    ("body", "status", "pointer", "sentence"),
    [
        ({"features": [{"age": "30", "income": 1}]}, 422, "/features/0/age", 'column \'age\' is "30"; an integer was expected'),
        ({"features": [{"age": 5.5, "income": 1}]}, 422, "/features/0/age", "5.5"),
        ({"features": [{"age": 1, "incme": 1}]}, 422, "/features/0/incme", "Did you mean 'income'?"),
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
        ('{"features": ' + "[" * 10_000 + "]" * 10_000 + "}", 400, None, "nested too deep"),
    ],
)
def test_what_bad_features_get(server: Server, body: Any, status: int, pointer: str | None, sentence: str) -> None:
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
        ("POST", "/models/hause/predict", 404, "model 'hause' is not served here; there is 'house'. Did you mean 'house'?"),
        ("POST", "/models/house/versions/4/predict", 404, "version 4 of model 'house' is not served here; there is '3'"),
        ("POST", "/models/house/versions/x/predict", 404, "version 'x' of model 'house' is not a version"),
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
def test_what_bad_paths_and_methods_get(server: Server, method: str, path: str, status: int, sentence: str) -> None:
    got, headers, problem = server.request(method, path, {"features": [[1, 1]]} if method == "POST" else None)
    assert got == status
    assert sentence in problem["detail"]
    if status == 405:
        assert headers["allow"] == ("POST, OPTIONS" if path == "/predict" else "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('Application/JSON;charset="UTF-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/jsonp", 415),
    ],
)
def test_content_types(server: Server, content_type: str, status: int) -> None:
    got, _, answer = server.request("POST", "/predict", '{"features":[[1,1]]}', Content_Type=content_type)
    assert got == status
    if status == 415:
        assert content_type in answer["detail"]
        assert "application/json" in answer["detail"]


def test_a_body_without_content_type_is_json_and_a_coded_one_is_refused(server: Server) -> None:
    request = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20\r\n%s\r\n" + b'{"features":[[1,1]]}'
    assert server.raw(request % b"").startswith(b"HTTP/1.1 200 ")
    assert server.raw(request % b"Content-Encoding: gzip\r\n").startswith(b"HTTP/1.1 415 ")


def test_head_and_options(server: Server) -> None:
    status, headers, body = server.request("HEAD", "/health/live")
    assert (status, body) == (200, "")
    assert int(headers["content-length"]) > 0
    status, headers, _ = server.request("OPTIONS", "/predict")
    assert (status, headers["allow"]) == (204, "POST, OPTIONS")


# Requests that are not HTTP, or not the HTTP that a strict server takes (RFC 9112).
FRAMINGS = [
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST /predict HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n", 413),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


@pytest.mark.parametrize(("data", "status"), FRAMINGS)
def test_what_broken_http_gets(server: Server, data: bytes, status: int) -> None:
    received = server.raw(data)
    assert received.startswith(b"HTTP/1.1 %d " % status), received[:300]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status
    assert server.predict([[1, 10]])[0] == 200


def test_chunked_and_pipelined_requests(server: Server) -> None:
    chunked = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'9\r\n{"feature\r\nc\r\ns":[[1,10]]}\r\n0\r\n\r\n'
    )
    plain = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 21\r\n%s\r\n" + b'{"features":[[2,20]]}'
    received = server.raw(chunked + plain % b"" + plain % b"Connection: close\r\n")
    predictions = re.findall(rb'"predictions":\[([^\]]*)\]', received)
    assert predictions == [b"8.0", b"15.0", b"15.0"]


def test_a_truncated_body_is_no_request(server: Server) -> None:
    before = server.metrics()['penstock_requests_total{model="house",version="3",code="200"}']
    received = server.raw(
        b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"features":[[1,10]]}', half_close=True
    )
    assert not received.startswith(b"HTTP/1.1 200")
    assert server.metrics()['penstock_requests_total{model="house",version="3",code="200"}'] == before


def test_a_100_mb_body_is_refused_and_costs_no_memory(server: Server) -> None:
    resident = server.metrics()["process_resident_memory_bytes"]
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    received = server.raw(head + block * 100)
    assert received.startswith(b"HTTP/1.1 413 ") or not received
    assert server.metrics()["process_resident_memory_bytes"] < resident + 40e6
    status, _, problem = server.request("POST", "/predict", " " * (17 << 20))
    assert status == 413, problem
    assert "16777216" in problem["detail"] or "body" in problem["detail"]


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
    for features in ([[1, 2]], [{"age": 1.0, "income": 2}], {"age": 1, "income": 1}, {"age": [1], "income": [1]}):
        assert check({"features": features}), features
        assert server.predict(features)[0] == 200
    for features in ([], [[1]], [[1, None]], [[1.5, 1]], [{"age": 1}], {"age": ["x"], "income": [1]}, [[1, 2e9]], [[1, 2, 3]]):
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
    assert after['process_resident_memory_bytes'] > 1e6
    assert abs(after["process_start_time_seconds"] - time.time()) < 600
    assert not [name for name in after if "made-up" in name]


def test_metrics_are_in_the_text_format(server: Server) -> None:
    _, headers, text = server.request("GET", "/metrics", admin=True)
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert families["penstock_request_duration_seconds"] == "histogram"
    assert families["penstock_requests"] == "counter"


def run(*arguments: str) -> tuple[int, str]:
    """Run a server that is expected to end by itself."""
    done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "PACKAGE"),
        (["{house}"], 2, "--as is missing"),
        (["{house}", "--as", "house"], 2, "--as is 'house', which has no name and version; NAME@N was expected"),
        (["{house}", "--as", "house@0"], 2, "not a whole number from 1 on"),
        (["{house}", "--as", "a/b@1"], 2, "must not"),
        (["{house}", "--as", "h@1", "--prot", "1"], 2, "Did you mean '--port'?"),
        (["{house}", "--as", "h@1", "--port", "70000"], 2, "70000"),
        (["{house}", "--as", "h@1", "--loops", "x"], 2, "x"),
        (["{house}", "--as", "h@1", "--until-eof", "99"], 2, "no open file descriptor"),
        (["{house}", "--as", "h@1", "--beyond-limits", "no"], 2, "no"),
        (["/nowhere", "--as", "h@1"], 3, "there is no package at '/nowhere'"),
    ],
)
def test_what_bad_flags_get(house: Path, arguments: list[str], code: int, sentence: str) -> None:
    filled = [argument.format(house=house) for argument in arguments]
    got, told = run(*filled, *(["--admin-port", "0"] if "/nowhere" in filled else []), *([] if "--port" in filled or not filled else ["--port", "0"]))
    assert told.startswith("penstock-server: ")
    assert sentence in told
    assert got == code


def test_a_flipped_bit_and_a_newer_package_are_refused(house: Path, tmp_path: Path) -> None:
    package = packages.linear(tmp_path / "p", [1.0], 0.0)
    damaged = package / "evaluator.safetensors"
    raw = bytearray(damaged.read_bytes())
    raw[-1] ^= 1
    damaged.write_bytes(raw)
    ports = ["--port", "0", "--admin-port", "0"]
    code, told = run(str(package), "--as", "p@1", *ports)
    assert code == 10
    assert "evaluator.safetensors" in told
    assert "was changed" in told
    newer = packages.linear(tmp_path / "n", [1.0], 0.0, format=9, reader_min=9)
    code, told = run(str(newer), "--as", "p@1", *ports)
    assert code == 7
    assert "newer Penstock" in told


def test_a_port_in_use_is_told(house: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, told = run(str(house), "--as", "h@1", "--port", port, "--admin-port", "0")
    assert code == 4
    assert port in told


def test_text_announcement_help_and_version(house: Path) -> None:
    process = subprocess.Popen(
        [binary(), house, "--as", "house@3", "--port", "0", "--admin-port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert re.fullmatch(r"house@3 on http://127.0.0.1:\d+ \(metrics: http://127.0.0.1:\d+/metrics\)\n", process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, told
    assert subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout.startswith("penstock-server ")
    assert "--batch-rows-max" in subprocess.run([binary(), "--help"], capture_output=True, text=True, check=True).stdout


def test_log_records_are_json_on_request(house: Path) -> None:
    with serving(house, "--log-json", spec="house@3") as running:
        told = running.end()
    records = [json.loads(line) for line in told.splitlines()]
    assert [record["message"] for record in records] == ["serving", "draining", "stopped"]
    assert records[0]["model"] == "house"


def test_the_end_of_the_owners_pipe_ends_the_server(house: Path) -> None:
    reader, writer = os.pipe()
    with serving(house, "--until-eof", "0", stdin=reader) as running:
        os.close(reader)
        assert running.predict([[1, 1]])[0] == 200
        os.write(writer, b"ignored")
        assert running.predict([[1, 1]])[0] == 200
        os.close(writer)
        assert running.process.wait(SECONDS_MAX) == 0
        running.process.communicate()


class Client(threading.Thread):
    """Asks again and again, on connections that it keeps, until told to stop or the port is closed."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.answered = 0
        self.failed: list[str] = []
        self.is_stopping = False

    def run(self) -> None:
        body = b'{"features":[[1,10]]}'
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        while not self.is_stopping:
            try:
                connection = socket.create_connection(("127.0.0.1", self.server.port), SECONDS_MAX)
            except ConnectionRefusedError:
                return
            with connection:
                self.ask(connection, head % len(body) + body)

    def ask(self, connection: socket.socket, request: bytes) -> None:
        while not self.is_stopping:
            received = b""
            try:
                connection.sendall(request)
                while b"predictions" not in received:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    received += chunk
            except OSError as error:
                self.failed.append(repr(error))
                return
            if not received.startswith(b"HTTP/1.1 200 "):
                self.failed.append(f"got {received[:80]!r}")
                return
            self.answered += 1
            if b"\r\nConnection: close\r\n" in received:
                return


def test_draining_under_load_loses_no_request(house: Path) -> None:
    server = Server(house, "--drain-notice-ms", "300", "--loops", "2")
    clients = [Client(server) for _ in range(8)]
    for client in clients:
        client.start()
    wait_until(lambda: all(client.answered > 20 for client in clients), "every client was answered")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.request("GET", "/health/ready")[0] == 503, "it is not ready any more")
    status, _, problem = server.request("GET", "/health/ready")
    assert "shutting down" in problem["detail"]
    assert server.request("GET", "/health/live")[0] == 200
    assert server.predict([[1, 10]])[0] == 200
    for client in clients:
        client.join(SECONDS_MAX)
    told = server.end()
    assert server.process.returncode == 0, told
    assert [failure for client in clients for failure in client.failed] == []


def test_a_second_signal_ends_it_at_once(house: Path) -> None:
    server = Server(house, "--drain-notice-ms", "60000")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.request("GET", "/health/ready")[0] == 503, "it drains")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 128 + signal.SIGTERM
    server.process.communicate()


def test_a_slow_model_does_not_hold_up_its_loop_and_a_full_queue_says_so(tmp_path: Path) -> None:
    package = packages.slow(tmp_path / "slow")
    with serving(package, "--loops", "1", "--queue-requests-max", "2") as running:
        status, _, answer = running.predict([[0.0], [1.0]])
        assert (status, answer["predictions"]) == (200, [1.0, 2.0])
        busy = [[0.0]] * 400
        statuses: list[tuple[int, dict[str, str]]] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(running.predict(busy)[:2])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: running.metrics()["penstock_requests_in_flight"] > 0 or len(statuses) == 8, "one is running")
        began = time.monotonic()
        assert running.request("GET", "/health/live")[0] == 200
        assert time.monotonic() - began < 1
        for thread in threads:
            thread.join(SECONDS_MAX)
    assert {status for status, _ in statuses} == {200, 503}
    assert all(headers["retry-after"] == "1" for status, headers in statuses if status == 503)


def test_starts_quickly_and_stays_small(house: Path) -> None:
    """The bars: ready within 20 ms, 15 MB resident. Printed always; held with room for a busy machine."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        with serving(house, "--loops", "2") as running:
            assert running.request("GET", "/health/ready")[0] == 200
            times.append((time.monotonic() - began) * 1000)
            for _ in range(200):
                running.predict([[1, 1]])
            resident = running.metrics()["process_resident_memory_bytes"] / 1e6
            maps = Path(f"/proc/{running.process.pid}/maps").read_text()
    print(f"exec to ready: {min(times):.1f} ms; resident: {resident:.1f} MB")
    assert resident < 15
    assert not re.search("python|duckdb|sqlite|libpq|onnxruntime", maps, re.IGNORECASE)
