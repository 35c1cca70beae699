"""The licences that go with what is shipped: ours, and those of every part in the programs."""

from __future__ import annotations

import functools
from pathlib import Path

import layers
from steps import ROOT, StepError

PAGE = ROOT / "docs" / "dependencies.md"
PACKAGES = ".venv/lib/python3.11/site-packages"
FLATCC = ".deps/nanoarrow/subprojects/flatcc-*"  # under nanoarrow

# Where the texts of each part lie, those of Debian's packages under /usr/share/doc. Apache-2.0 has
# one text, which is ours too.
TEXTS: dict[str, list[str]] = {
    "fmt": ["libfmt-dev/copyright"],
    "crypto": ["libssl-dev/copyright"],
    "simdjson": ["LICENSE"],
    "tomlplusplus": ["libtomlplusplus-dev/copyright"],
    "nanoarrow": ["LICENSE", f"{FLATCC}/LICENSE", f"{FLATCC}/NOTICE"],
    "sqlite3": ["libsqlite3-dev/copyright"],
    "onnxruntime": [
        ".deps/onnxruntime/LICENSE",
        ".deps/onnxruntime/ThirdPartyNotices.txt",
        ".deps/onnxruntime/include/LICENSE",
    ],
    "duckdb": [".deps/duckdb/include/LICENSE"],
    "cli11": ["libcli11-dev/copyright"],
    "nanobind": [
        f"{PACKAGES}/nanobind-*.dist-info/licenses/LICENSE",
        f"{PACKAGES}/nanobind/ext/robin_map/include/tsl/robin_map.h",
    ],
}
LIBSTDCXX = "libstdc++-12-dev/copyright"  # the compiler's own library, linked in too


@functools.cache
def files() -> dict[str, bytes]:
    """Return the licence files of the wheel, by their path in it.

    Raises
    ------
    StepError
        A part of docs/dependencies.md has no text here, or its file is not there.
    """
    documented = layers.documented_parts(PAGE.read_text()).keys()
    if documented != TEXTS.keys():
        differing = ", ".join(sorted(documented ^ TEXTS.keys()))
        raise StepError(
            f"docs/dependencies.md and tools/notices.py do not have the same parts: {differing}."
        )
    found = {"LICENSE": (ROOT / "LICENSE").read_bytes()}
    for part, places in {**TEXTS, "libstdc++": [LIBSTDCXX]}.items():
        for place in places:
            if place != "LICENSE":
                path = text_at(place)
                found[name_of(part, path)] = licence_in(path)
    found["PARTS.md"] = page().encode()
    return found


def text_at(place: str) -> Path:
    """Return the one file of a place."""
    base = Path("/usr/share/doc") if place.endswith("/copyright") else ROOT
    there = [path for path in base.glob(place) if path.is_file()]
    if len(there) != 1:
        raise StepError(f"one licence was expected at {base / place}, found {len(there)}.")
    return there[0]


def name_of(part: str, path: Path) -> str:
    """Return where the text of a part lies in the wheel."""
    folder = path.parent.name.partition("-")[0]
    is_inner = folder in {"flatcc", "include", "tsl"}  # of a part within the part
    return f"{part}/{folder}/{path.name}" if is_inner else f"{part}/{path.name}"


def licence_in(path: Path) -> bytes:
    """Return a file, or of a header the comment that it begins with."""
    content = path.read_bytes()
    return content.partition(b"*/")[0] + b"*/\n" if path.suffix == ".h" else content


def page() -> str:
    """Return what is inside and under which licence, as docs/dependencies.md says it."""
    section = PAGE.read_text().partition("## In the programs")[2].partition("\n## ")[0]
    head = (
        "# Parts of Penstock\n\nThe folder of each part has its texts; Apache-2.0 is LICENSE.\n"
        "libstdc++ of GCC 12 is linked in: GPL-3.0 with the GCC runtime library exception.\n"
    )
    table = [line for line in section.splitlines() if line.startswith("|")]
    return "\n".join([head, *table]) + "\n"
