"""penstock-server and HTTP that is unusual, broken or hostile."""

from __future__ import annotations

import json
import re

import pytest
from servers import Server


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
    got, _, answer = server.request(
        "POST", "/predict", '{"features":[[1,1]]}', Content_Type=content_type
    )
    assert got == status
    if status == 415:
        assert content_type in answer["detail"]
        assert "application/json" in answer["detail"]


def test_a_body_without_content_type_is_json_and_a_coded_one_is_refused(server: Server) -> None:
    request = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20\r\n%s\r\n"
        + b'{"features":[[1,1]]}'
    )
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
    (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n", 400),
    (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ffffffffffffffffff\r\n",
        400,
    ),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST /predict HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n", 413),
    (b"POST /predict HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


def check_problem(received: bytes, status: int) -> str:
    """Hold the bytes of a whole answer to a status and a problem; return its detail."""
    assert received.startswith(b"HTTP/1.1 %d " % status), received[:300]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/problem+json" in head
    problem = json.loads(body)
    assert problem["status"] == status
    return str(problem["detail"])


@pytest.mark.parametrize(("data", "status"), FRAMINGS)
def test_what_broken_http_gets(server: Server, data: bytes, status: int) -> None:
    check_problem(server.raw(data), status)
    assert server.predict([[1, 10]])[0] == 200


def test_chunked_and_pipelined_requests(server: Server) -> None:
    chunked = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b'9\r\n{"feature\r\nc\r\ns":[[1,10]]}\r\n0\r\n\r\n'
    )
    plain = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 21\r\n%s\r\n" + b'{"features":[[2,20]]}'
    )
    received = server.raw(chunked + plain % b"" + plain % b"Connection: close\r\n")
    predictions = re.findall(rb'"predictions":\[([^\]]*)\]', received)
    assert predictions == [b"8.0", b"15.0", b"15.0"]


def test_a_truncated_body_is_no_request(server: Server) -> None:
    before = server.metrics()['penstock_requests_total{model="house",version="3",code="200"}']
    received = server.raw(
        b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"features":[[1,10]]}',
        half_close=True,
    )
    assert "ended within the body, after 21 bytes" in check_problem(received, 400)
    assert (
        server.metrics()['penstock_requests_total{model="house",version="3",code="200"}'] == before
    )


def test_a_100_mb_body_is_refused_and_costs_no_memory(server: Server) -> None:
    resident = server.metrics()["process_resident_memory_bytes"]
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    detail = check_problem(server.raw(head + block * 100), 413)
    assert "body_bytes_max = 16777216 bytes" in detail
    assert server.metrics()["process_resident_memory_bytes"] < resident + 40e6
    status, _, problem = server.request("POST", "/predict", " " * (17 << 20))
    assert status == 413, problem
    assert "body_bytes_max = 16777216 bytes" in problem["detail"]
