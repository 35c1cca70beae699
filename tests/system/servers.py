"""penstock-server as a process, for tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 30.0


def binary() -> Path:
    """Return the server that is tested: PENSTOCK_TEST_BIN, else the newest build."""
    folders = [os.environ.get("PENSTOCK_TEST_BIN"), *(ROOT / "build").glob("*/bin")]
    found = [Path(f) / "penstock-server" for f in folders if f]
    found = [path for path in found if path.exists()]
    assert found, "penstock-server is not built: ./dev build"
    if os.environ.get("PENSTOCK_TEST_BIN"):
        return found[0]
    return max(found, key=lambda path: path.stat().st_mtime)


class Server:
    """A running server. ``url`` and ``admin_url`` are known once it is ready."""

    def __init__(
        self, package: Path, *flags: str, spec: str = "m@1", stdin: int | None = None
    ) -> None:
        command = [str(binary()), str(package), "--as", spec, "--port", "0", "--admin-port", "0"]
        self.process = subprocess.Popen(
            [*command, "--announce", "json", *flags],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.end()
        where = json.loads(line)
        self.port = int(urlsplit(where["url"]).port or 0)
        self.admin_port = int(urlsplit(where["admin_url"]).port or 0)

    def request(
        self, method: str, path: str, body: Any = None, *, admin: bool = False, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request on a connection of its own; return status, headers, JSON or text."""
        port = self.admin_port if admin else self.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and "Content-Type" not in names:
            names["Content-Type"] = "application/json"
        data = json.dumps(body) if isinstance(body, dict | list) else body
        connection.request(method, path, data, {k: v for k, v in names.items() if v})
        response = connection.getresponse()
        raw = response.read()
        connection.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        is_json = "json" in told.get("content-type", "") and method != "HEAD"
        return response.status, told, json.loads(raw) if is_json else raw.decode()

    def predict(self, features: Any, path: str = "/predict") -> tuple[int, dict[str, str], Any]:
        """Ask for predictions."""
        return self.request("POST", path, {"features": features})

    def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes and return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionError):
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def metrics(self) -> dict[str, float]:
        """Return every series of a scrape."""
        _, _, text = self.request("GET", "/metrics", admin=True)
        series = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                series[name] = float(value)
        return series

    def end(self, by: int = signal.SIGTERM) -> str:
        """Stop it and return what it logged."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        _, told = self.process.communicate(timeout=SECONDS_MAX)
        return told


@contextlib.contextmanager
def serving(package: Path, *flags: str, **options: Any) -> Iterator[Server]:
    """Run a server; at the end it must drain and end well."""
    server = Server(package, "--drain-notice-ms", "0", *flags, **options)
    try:
        yield server
    except BaseException:
        server.process.kill()
        server.process.communicate()
        raise
    if server.process.poll() is None:
        told = server.end()
        assert server.process.returncode == 0, told


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, but not for ever."""
    end = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.005)
