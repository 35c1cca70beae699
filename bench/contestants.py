"""What the serving benchmark compares: programs that answer POST /predict for the digits model."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import penstock
from _penstock import binary_dir

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
BENCH_PYTHON = ROOT / "build" / "bench-venv" / "bin" / "python"
READY_S_MAX = 60.0
STOP_S_MAX = 20.0
READY_POLL_S = 0.0005
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def digits() -> tuple[Any, Any, LogisticRegression]:
    """Return rows, labels and a model fitted on them."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    return X, y, LogisticRegression(max_iter=200).fit(X, y)


def request_body() -> bytes:
    """Return one row of 64 numbers, as a client sends it."""
    X, _, _ = digits()
    return json.dumps({"features": [[round(float(x), 4) for x in X[0]]]}).encode()


def registered_package(home: Path, engine: str) -> tuple[Path, str]:
    """Register the digits model for one engine; return the package's folder and NAME@N."""
    X, y, model = digits()
    version = penstock.register(model, X, y, name=f"digits-{engine}", engine=engine, home=home)
    if version.engine != engine:
        sys.exit(
            f"the digits model runs by '{version.engine}', '{engine}' was expected: {version!r}"
        )
    return home / "packages" / version.digest, f"{version.name}@{version.version}"


@dataclass
class Contestant:
    """A server program, and what it has been measured to do."""

    key: str
    title: str
    command: list[str]
    port: int
    has_ready_route: bool = True
    process: subprocess.Popen[bytes] | None = None
    ready_ms: list[float] = field(default_factory=list)
    rounds: list[dict[str, float]] = field(default_factory=list)

    def start(self, core: int) -> None:
        """Start the server on one core and note the time from exec to the first 200 of
        /health/ready.
        """
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *self.command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begin > READY_S_MAX:
                told = (
                    self.process.communicate()[1].decode()
                    if self.process.poll() is not None
                    else "no answer"
                )
                sys.exit(f"{self.title} did not start: {told}")
            time.sleep(READY_POLL_S)
        self.ready_ms.append((time.perf_counter() - begin) * 1000)

    def answers(self) -> bool:
        """Tell whether the server is ready."""
        try:
            if not self.has_ready_route:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/health/ready")
            is_ready = connection.getresponse().status == 200
            connection.close()
        except OSError:
            return False
        return is_ready

    def stop(self) -> None:
        """End the server and wait for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=STOP_S_MAX)

    def cpu_s(self) -> float:
        """Return the CPU seconds of the server and its children so far, kernel time included."""
        return sum(_cpu_ticks(pid) for pid in self._pids()) / TICKS_PER_S

    def rss_mb(self) -> float:
        """Return the resident memory of the server and its children."""
        return sum(_rss_kb(pid) for pid in self._pids()) / 1024

    def _pids(self) -> Iterator[int]:
        assert self.process is not None
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]


def _cpu_ticks(pid: int) -> int:
    # After the program's name, which may hold spaces: state is field 3, utime and stime 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _rss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def penstock_server(key: str, title: str, package: Path, spec: str) -> Contestant:
    """Return Penstock's own server with one loop."""
    port = free_port()
    program = [
        str(Path(binary_dir) / "penstock-server"),
        str(package),
        "--as",
        spec,
        "--loops",
        "1",
    ]
    options = ["--port", str(port), "--admin-port", "0", "--drain-notice-ms", "0"]
    return Contestant(key, title, program + options, port)


def exported_peers(scratch: Path) -> list[Contestant]:
    """Return the Python servers, with the same model in files of their own."""
    _, _, model = digits()
    pickled, onnx = scratch / "digits.joblib", scratch / "digits.onnx"
    joblib.dump(model, pickled)
    export = (
        "import sys, joblib, skl2onnx, numpy\n"
        "model = joblib.load(sys.argv[1])\n"
        "graph = skl2onnx.to_onnx(model, numpy.zeros((1, 64), numpy.float32), "
        "options={'zipmap': False})\n"
        "open(sys.argv[2], 'wb').write(graph.SerializeToString())\n"
    )
    subprocess.run([BENCH_PYTHON, "-c", export, pickled, onnx], check=True)
    peers = []
    for key, title, model_file in [
        ("fastapi_sklearn", "FastAPI + scikit-learn", pickled),
        ("fastapi_onnx", "FastAPI + ONNX Runtime", onnx),
    ]:
        port = free_port()
        command = [str(BENCH_PYTHON), str(PEERS / f"{key}.py"), str(model_file), str(port)]
        peers.append(Contestant(key, title, command, port))
    return peers


def raw_answer(contestant: Contestant, body: bytes) -> bytes:
    """Return the bytes of one answer, headers included."""
    with socket.create_connection(("127.0.0.1", contestant.port), timeout=10) as connection:
        head = (
            "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}"
        )
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        answer = b""
        while True:
            answer += connection.recv(65536)
            head_end = answer.find(b"\r\n\r\n")
            if head_end < 0:
                continue
            length = next(
                int(line.split(b":")[1])
                for line in answer[:head_end].split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            if len(answer) >= head_end + 4 + length:
                return answer


def floor(scratch: Path, answer: bytes) -> Contestant:
    """Return the bare epoll loop that sends back these bytes."""
    file = scratch / "answer.bin"
    file.write_bytes(answer)
    port = free_port()
    program = str(Path(binary_dir) / "penstock-floor")
    return Contestant(
        "floor", "bare epoll floor", [program, str(port), str(file)], port, has_ready_route=False
    )
