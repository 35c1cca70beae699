"""Count the server's user instructions per request with callgrind, and hold them against a budget.

Instructions repeat where seconds do not: the same binary and requests give the same count on a busy
machine. Counting begins behind the first requests: what a start costs differs from run to run.

    python bench/instructions.py            print the count of each engine
    python bench/instructions.py --check    fail when a count exceeds bench/instructions.json
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import _penstock
import penstock

BUDGET_FILE = Path(__file__).parent / "instructions.json"
ENGINES = ("own", "onnxruntime")
REQUESTS_BEFORE, REQUESTS = 200, 1000
BODY = json.dumps({"features": [[round(i / 64, 4) for i in range(64)]]}).encode()
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def register(home: Path, engine: str) -> _penstock.Version:
    """Register the digits model for one engine, and unpack it."""
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=200).fit(X / 16, y)
    registered = penstock.register(model, X / 16, y, name="digits", engine=engine, home=home)
    return _penstock.open_version(f"digits@{registered.version}", str(home))


def control(option: str, process: int) -> None:
    """Tell the callgrind that runs a process to zero its counts (-z) or to write them out (-d)."""
    subprocess.run(
        ["callgrind_control", option, str(process)], check=True, timeout=120, capture_output=True
    )


def instructions_per_request(version: _penstock.Version, scratch: Path) -> int:
    """Serve single-row requests under callgrind and return the user instructions of each."""
    out = scratch / "callgrind"
    server = subprocess.Popen(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]
        + [str(Path(_penstock.binary_dir) / "penstock-server"), str(version.path)]
        + ["--as", f"{version.name}@{version.version}", "--port", "0", "--admin-port", "0"]
        + ["--loops", "1", "--announce", "json"]
        # Engine cost is measured at load; callgrind would make it look too high for the loop.
        + ["--inline-us-max", "1000000"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        where = urlsplit(json.loads(server.stdout.readline())["url"])
        with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
            for _ in range(REQUESTS_BEFORE):
                ask(connection)
            control("-z", server.pid)
            for _ in range(REQUESTS):
                ask(connection)
            control("-d", server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=120)
    dump = out.with_suffix(".1")
    found = re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.MULTILINE)
    assert found is not None, f"{dump} has no total"
    return int(found.group(1)) // REQUESTS


def ask(connection: socket.socket) -> None:
    """Send one request as one segment, and read its answer.

    A head and a body sent apart arrive together or not as the machine pleases, and a wakeup more is
    2,000 instructions more.
    """
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b"}"):
        received = connection.recv(65536)
        assert received, answer
        answer += received
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def measure(engine: str) -> int:
    """Register the model for an engine and return the instructions of a request to it."""
    with tempfile.TemporaryDirectory() as folder:
        return instructions_per_request(register(Path(folder), engine), Path(folder))


def main() -> int:
    """Print the counts; with ``--check`` return 1 when one exceeds its budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with bench/instructions.json")
    check = parser.parse_args().check
    budget = json.loads(BUDGET_FILE.read_text()) if check else {}
    failed = 0
    for engine in ENGINES:
        count = measure(engine)
        limit = budget.get(engine)
        over = limit is not None and count > limit
        failed += over
        verdict = "" if limit is None else f"  budget {limit:,}  {'OVER' if over else 'ok'}"
        print(f"{engine:12} {count:>8,} instructions a request{verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
