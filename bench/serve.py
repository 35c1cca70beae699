"""Measure the server beside a bare epoll loop and beside what people use instead, interleaved, in
one run.

The bar is server CPU per request: it repeats on a shared machine, requests a second do not. The
server has core 0 to itself, the client core 1; with one connection both are on core 0, because
waking an idle core of a virtual machine costs ten times the request. Every contestant has one
worker and the same model, rows and question.

    python bench/serve.py [--rounds 5] [--seconds 3] [--out bench/results]
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from contestants import (
    ROOT,
    Contestant,
    digits,
    exported_peers,
    floor,
    penstock_server,
    raw_answer,
    registered_package,
    request_body,
)

SERVER_CORE, CLIENT_CORE = 0, 1
CONNECTIONS = 32
HALF_LOAD_CONNECTIONS = 64
STARTS = 5
# What a request and a start may cost, in multiples of the floor and of the peers, or at most.
BARS = {"own": 1.35, "onnxruntime": 1.8}
PEER_BARS = {"fastapi_sklearn": 60, "fastapi_onnx": 30}
HALF_LOAD_P99_US_BAR = 1000
READY_MS_BARS = {"own": 20, "onnxruntime": 60}
RSS_MB_BAR, ONNXRUNTIME_RSS_MB_BAR = 15, 25


def wrk(
    contestant: Contestant,
    body: Path,
    *,
    seconds: int,
    connections: int,
    core: int,
    delay_ms: int = 0,
) -> Any:
    """Run wrk against a contestant and return what it counted, with the server's CPU."""
    environment = {
        **os.environ,
        "PENSTOCK_BENCH_BODY": str(body),
        "PENSTOCK_BENCH_DELAY_MS": str(delay_ms),
    }
    command = [
        "taskset",
        "-c",
        str(core),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
    ]
    command += [
        "-s",
        str(ROOT / "bench" / "wrk.lua"),
        f"http://127.0.0.1:{contestant.port}/predict",
    ]
    cpu_before = contestant.cpu_s()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    counted = json.loads(done.stdout.splitlines()[-1])
    if counted["failed"] or not counted["requests"]:
        sys.exit(
            f"{contestant.title}: {counted['failed']} requests failed\n{done.stdout}{done.stderr}"
        )
    counted["cpu_us"] = (contestant.cpu_s() - cpu_before) * 1e6 / counted["requests"]
    counted["per_s"] = counted["requests"] / counted["seconds"]
    return counted


def measure_round(contestant: Contestant, body: Path, seconds: int) -> dict[str, float]:
    """Measure one contestant once: 32 connections, then one."""
    many = wrk(contestant, body, seconds=seconds, connections=CONNECTIONS, core=CLIENT_CORE)
    one = wrk(contestant, body, seconds=max(1, seconds // 2), connections=1, core=SERVER_CORE)
    return {
        "cpu_us": many["cpu_us"],
        "per_s": many["per_s"],
        "p50_us": many["p50_us"],
        "p99_us": many["p99_us"],
        "cpu_us_1": one["cpu_us"],
        "per_s_1": one["per_s"],
        "p50_us_1": one["p50_us"],
        "p99_us_1": one["p99_us"],
    }


def half_load_p99_us(contestant: Contestant, body: Path, seconds: int) -> dict[str, float]:
    """Measure the 99th percentile at about half of the rate that the contestant can do."""
    rate = statistics.median(r["per_s"] for r in contestant.rounds) / 2
    delay_ms = max(1, round(HALF_LOAD_CONNECTIONS / rate * 1000))
    counted = wrk(
        contestant,
        body,
        seconds=seconds,
        connections=HALF_LOAD_CONNECTIONS,
        core=CLIENT_CORE,
        delay_ms=delay_ms,
    )
    return {"half_load_per_s": counted["per_s"], "half_load_p99_us": counted["p99_us"]}


def check_answer(contestant: Contestant, body: bytes) -> bytes:
    """End the run unless the answer is the model's own; return it."""
    X, _, model = digits()
    answer = raw_answer(contestant, body)
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    expected = model.predict_proba(np.round(X[:1], 4))
    if said["predictions"] != model.predict(X[:1]).tolist() or not np.allclose(
        said["probabilities"], expected, atol=1e-4
    ):
        sys.exit(f"{contestant.title} answers wrongly: {said}")
    return answer


def start_all(contestants: list[Contestant]) -> None:
    """Start each contestant several times, in turns, and leave all running."""
    for turn in range(STARTS):
        for contestant in contestants:
            contestant.start(SERVER_CORE)
            if turn < STARTS - 1:
                contestant.stop()


def summarise(
    contestant: Contestant, floor_cpu_us: list[float], extra: dict[str, float]
) -> dict[str, Any]:
    """Return medians over the rounds; the ratio to the floor is taken round by round."""
    medians = {
        key: statistics.median(r[key] for r in contestant.rounds) for key in contestant.rounds[0]
    }
    ratios = [r["cpu_us"] / base for r, base in zip(contestant.rounds, floor_cpu_us, strict=True)]
    return {
        "title": contestant.title,
        **medians,
        "cpu_ratio_to_floor": statistics.median(ratios),
        "rss_mb": contestant.rss_mb(),
        "ready_ms": statistics.median(contestant.ready_ms),
        **extra,
        "rounds": contestant.rounds,
    }


def run(rounds: int, seconds: int, scratch: Path) -> dict[str, Any]:
    """Start, check, measure and stop everything; return the results by contestant."""
    body = request_body()
    body_file = scratch / "body.json"
    body_file.write_bytes(body)
    servers = [
        penstock_server(
            "own", "Penstock, own evaluator", *registered_package(scratch / "home", "own")
        ),
        penstock_server(
            "onnxruntime",
            "Penstock, ONNX Runtime",
            *registered_package(scratch / "home", "onnxruntime"),
        ),
        *exported_peers(scratch),
    ]
    start_all(servers)
    base = floor(scratch, check_answer(servers[0], body))
    base.start(SERVER_CORE)
    contestants = [base, *servers]
    try:
        for server in servers:
            check_answer(server, body)
        for contestant in contestants:
            wrk(contestant, body_file, seconds=1, connections=CONNECTIONS, core=CLIENT_CORE)
        for number in range(rounds):
            for contestant in contestants:
                contestant.rounds.append(measure_round(contestant, body_file, seconds))
                told = contestant.rounds[-1]
                print(
                    f"round {number + 1}  {contestant.title:26} {told['cpu_us']:9.1f} us CPU  "
                    f"{told['per_s']:9.0f}/s",
                    flush=True,
                )
        extras = {c.key: half_load_p99_us(c, body_file, seconds) for c in contestants}
        floor_cpu_us = [r["cpu_us"] for r in base.rounds]
        return {c.key: summarise(c, floor_cpu_us, extras[c.key]) for c in contestants}
    finally:
        for contestant in contestants:
            contestant.stop()


def markdown(results: dict[str, Any], about: dict[str, Any]) -> str:
    """Return the results as a table, and each bar with what was reached."""
    lines = [
        "# Serving: single-row POST /predict, 64 features",
        "",
        f"{about['date']}, commit {about['commit']}, {about['machine']}. "
        f"{about['rounds']} interleaved rounds, medians.",
        "Server on one core, client on the other; with one connection both on one core. "
        "Load average "
        f"{about['load_average']:.1f} before the run.",
        "",
        "| | CPU us/request | x floor | requests/s, 32 conn | p50 / p99 us "
        "| requests/s, 1 conn | p50 / p99 us | p99 us at half load"
        " | RSS MB | exec to ready ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results.values():
        lines.append(
            f"| {r['title']} | {r['cpu_us']:.1f} | {r['cpu_ratio_to_floor']:.2f} "
            f"| {r['per_s']:,.0f} | {r['p50_us']:,.0f} / {r['p99_us']:,.0f} "
            f"| {r['per_s_1']:,.0f} | {r['p50_us_1']:,.0f} / {r['p99_us_1']:,.0f} "
            f"| {r['half_load_p99_us']:,.0f} |"
            f" {r['rss_mb']:.1f} | {r['ready_ms']:.0f} |"
        )
    lines += ["", "| bar | wanted | reached | |", "|---|---:|---:|---|"]
    for title, wanted, reached, holds in bars(results):
        lines.append(f"| {title} | {wanted} | {reached} | {'holds' if holds else '**missed**'} |")
    return "\n".join(lines) + "\n"


def bars(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return each bar: its title, what is wanted, what was reached, whether it holds."""
    own = results["own"]
    rows = []
    for key, bar in BARS.items():
        ratio = results[key]["cpu_ratio_to_floor"]
        rows.append(
            (f"{results[key]['title']}: CPU / floor", f"<= {bar}", f"{ratio:.2f}", ratio <= bar)
        )
    for key, bar in PEER_BARS.items():
        times = results[key]["cpu_us"] / own["cpu_us"]
        rows.append(
            (f"{results[key]['title']}: CPU / Penstock", f">= {bar}", f"{times:.0f}", times >= bar)
        )
    p99 = own["half_load_p99_us"]
    rows.append(
        (
            "p99 at half load",
            f"< {HALF_LOAD_P99_US_BAR} us",
            f"{p99:,.0f} us",
            p99 < HALF_LOAD_P99_US_BAR,
        )
    )
    for key, bar in READY_MS_BARS.items():
        ready_ms = results[key]["ready_ms"]
        title = f"{results[key]['title']}: exec to ready"
        rows.append((title, f"< {bar} ms", f"{ready_ms:.1f} ms", ready_ms < bar))
    rss_mb = own["rss_mb"]
    rows.append(("RSS", f"< {RSS_MB_BAR} MB", f"{rss_mb:.1f} MB", rss_mb < RSS_MB_BAR))
    more_mb = results["onnxruntime"]["rss_mb"] - rss_mb
    rows.append(
        (
            "RSS that ONNX Runtime adds",
            f"<= {ONNXRUNTIME_RSS_MB_BAR} MB",
            f"{more_mb:.1f} MB",
            more_mb <= ONNXRUNTIME_RSS_MB_BAR,
        )
    )
    return rows


def build_floor() -> None:
    """Compile the program that only this benchmark needs."""
    release = ROOT / "build" / "release"
    subprocess.run(
        ["cmake", "-DPENSTOCK_BENCH=ON", "-S", ROOT, "-B", release],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        ["ninja", "-C", release, "penstock-floor"], check=True, stdout=subprocess.DEVNULL
    )


def about_this_run(rounds: int) -> dict[str, Any]:
    """Return what a reader needs to judge the figures."""
    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} x {model}, Linux {platform.release()}",
        "rounds": rounds,
        "load_average": os.getloadavg()[0],
    }


def main() -> int:
    """Run the benchmark and write serve.json and serve.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=int, default=3, help="of load with 32 connections, each round"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("the benchmark needs two cores: one for the server, one for the client")
    about = about_this_run(options.rounds)
    build_floor()
    with tempfile.TemporaryDirectory() as folder:
        results = run(options.rounds, options.seconds, Path(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "serve.json").write_text(
        json.dumps({"about": about, "results": results}, indent=1) + "\n"
    )
    table = markdown(results, about)
    (options.out / "serve.md").write_text(table)
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
