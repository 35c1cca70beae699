"""Measure reading files beside DuckDB itself, pyarrow and pandas, interleaved, in one run.

The same files, the same version of DuckDB, each reader in this process, from a file to a whole
table. The bar is the ratio to DuckDB itself, of the least CPU (of all threads) in the rounds: on a
shared machine CPU repeats better than the time on the clock, and the least of it better than the
median. Time on the clock is shown beside it.

    python bench/read.py [--rounds 9] [--rows 1000000] [--out bench/results]
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import penstock

ROOT = Path(__file__).resolve().parent.parent
RATIO_BAR = 1.10
NUMBERS = ", ".join(f"random() AS c{i}" for i in range(10))
MIXED = (
    "range AS id, 'name' || (range % 1000) AS name, random() AS x, range % 7 AS k, "
    "'a longer text of some words ' || range AS t"
)

Reader = Callable[[str], Any]


def readers(kind: str) -> dict[str, tuple[str, Reader]]:
    """Return the readers of a kind of file by name: what each gives, and how."""
    arrow = {
        "csv": pa.csv.read_csv,
        "parquet": pa.parquet.read_table,
    }
    pandas = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    scan = "SELECT * FROM '{}'"
    return {
        "Penstock to_arrow": ("arrow", lambda path: penstock.read(path).to_arrow()),
        "DuckDB to_arrow_table": (
            "arrow",
            lambda path: duckdb.connect().sql(scan.format(path)).to_arrow_table(),
        ),
        "pyarrow": ("arrow", arrow[kind]),
        "Penstock to_pandas": ("pandas", lambda path: penstock.read(path).to_pandas()),
        "DuckDB df": ("pandas", lambda path: duckdb.connect().sql(scan.format(path)).df()),
        "pandas": ("pandas", pandas[kind]),
    }


BASE = {"arrow": "DuckDB to_arrow_table", "pandas": "DuckDB df"}


def cost(reader: Reader, path: str) -> tuple[float, float]:
    """Return the milliseconds on the clock and of CPU that a read takes."""
    before, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    table = reader(path)
    wall = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_SELF)
    del table
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1e3, cpu * 1e3


def measure(path: str, kind: str, rounds: int) -> list[tuple[str, float, float, float, float]]:
    """Return a row a reader: name, least ms, least CPU ms, ratios of both to DuckDB itself."""
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in readers(kind)}
    for number in range(rounds + 1):
        for name, (_, reader) in readers(kind).items():
            spent = cost(reader, path)
            if number > 0:  # the first round warms up
                costs[name].append(spent)
    rows = []
    for name, (result, _) in readers(kind).items():
        least, base = (
            [min(spent[i] for spent in costs[which]) for i in (0, 1)]
            for which in (name, BASE[result])
        )
        ratios = [ours / theirs for ours, theirs in zip(least, base, strict=True)]
        rows.append((name, *least, *ratios))
    return rows


def write_files(folder: Path, rows: int) -> dict[str, tuple[str, str]]:
    """Write the files to read; return path and kind by title."""
    files = {}
    for title, columns in (("10 columns of doubles", NUMBERS), ("integers, doubles, text", MIXED)):
        for kind in ("parquet", "csv"):
            path = folder / f"{title.split()[0]}.{kind}"
            duckdb.sql(f"COPY (SELECT {columns} FROM range({rows})) TO '{path}'")
            files[f"{title}, {kind}"] = (str(path), kind)
    return files


def report(measured: dict[str, list[tuple[str, float, float, float, float]]], rows: int) -> str:
    """Return the page."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    lines = [
        f"# Reading: {rows:,} rows from a file to a table",
        "",
        f"{datetime.date.today()}, commit {commit}, {os.cpu_count()} x {platform.machine()}, "
        f"DuckDB {duckdb.__version__}, pyarrow {pa.__version__}, pandas {pd.__version__}. "
        f"Load average {os.getloadavg()[0]:.1f} after the run.",
        "Least of interleaved rounds, and its ratio to DuckDB itself.",
        "",
    ]
    bars = []
    for title, table in measured.items():
        lines += [
            f"| {title} | ms | CPU ms | x DuckDB, clock | x DuckDB, CPU |",
            "|---|---:|---:|---:|---:|",
        ]
        for name, wall, cpu, wall_ratio, cpu_ratio in table:
            lines.append(
                f"| {name} | {wall:.0f} | {cpu:.0f} | {wall_ratio:.2f} | {cpu_ratio:.2f} |"
            )
            if name.startswith("Penstock"):
                held = "holds" if cpu_ratio <= RATIO_BAR else "**missed**"
                bars.append(f"| {title}: {name} | <= {RATIO_BAR:.2f} | {cpu_ratio:.2f} | {held} |")
        lines.append("")
    head = ["| bar: CPU / CPU of DuckDB itself | wanted | reached | |", "|---|---:|---:|---|"]
    return "\n".join([*lines, *head, *bars, ""])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        measured = {
            title: measure(path, kind, chosen.rounds)
            for title, (path, kind) in write_files(Path(folder), chosen.rows).items()
        }
    page = report(measured, chosen.rows)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "read.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
