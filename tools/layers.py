"""Hold every #include of src/ against the table in cmake/layers.cmake.

    python3 tools/layers.py [ROOT]

CMake refuses a row that uses a folder of its own or a higher layer. This refuses what CMake cannot
see: an include of a folder that the row does not name in USES, of a program's folder outside its
closure, and of a third-party header in a folder that does not name the part in PARTS.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

TABLE = "cmake/layers.cmake"

# Which part a header belongs to. fmt is for every folder; gtest and gmock are for tests.
PART_OF_HEADER = {
    r"openssl/": "crypto",
    r"simdjson\.h": "simdjson",
    r"toml\+\+/": "tomlplusplus",
    r"nanoarrow/": "nanoarrow",
    r"sqlite3\.h": "sqlite3",
    r"onnxruntime_.*\.h": "onnxruntime",
    r"duckdb\.h": "duckdb",
    r"CLI/": "cli11",
    r"nanobind/": "nanobind",
    r"Python\.h": "nanobind",
}
FOR_EVERYONE = re.compile(r"fmt/")
FOR_TESTS = re.compile(r"(gtest|gmock|benchmark|fuzzer)/")
OF_THE_SYSTEM = re.compile(r"[^/.]+|[^/]+\.h|(sys|linux|net|netinet|arpa|bits)/.*")
TESTING = re.compile(r"_(test|fuzz|benchmark)\.cc$|testing\.(h|cc)$|_testing\.(h|cc)$")


@dataclass(frozen=True)
class Row:
    """A row of the table: a folder with what it may use, or a program with its closure."""

    name: str
    layer: int = 0
    uses: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    main: str = ""


@dataclass
class Table:
    """The rows of cmake/layers.cmake."""

    folders: dict[str, Row] = field(default_factory=dict)
    programs: list[Row] = field(default_factory=list)


def read_table(text: str) -> Table:
    """Read the calls of penstock_folder and penstock_program."""
    table = Table()
    text = re.sub(r"#.*", "", text)
    for kind, words in re.findall(r"penstock_(folder|program)\(([^)]*)\)", text):
        name, *rest = words.split()
        values: dict[str, list[str]] = {}
        key = ""
        for word in rest:
            if word.isupper():
                key = word
            values.setdefault(key, [])
            if not word.isupper():
                values[key].append(word)
        if kind == "folder":
            layer, uses, parts = (
                int(values["LAYER"][0]),
                values.get("USES", []),
                values.get("PARTS", []),
            )
            table.folders[name] = Row(name, layer, tuple(uses), tuple(parts))
        else:
            table.programs.append(Row(name, uses=tuple(values["CLOSURE"]), main=values["MAIN"][0]))
    return table


def includes(path: Path) -> list[tuple[int, str, str]]:
    """Return line, bracket and name of every include of a file."""
    found = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            found.append((number, match[1], match[2]))
    return found


def fault_of_ours(name: str, row: Row, table: Table) -> str | None:
    """Say what is wrong with an #include "name" in the folder or program of `row`."""
    used = name.partition("/")[0]
    if "/" not in name:
        return f'includes "{name}": write it from src/, as "FOLDER/{name}"'
    if used == row.name or used in row.uses:
        return None
    where = "its CLOSURE" if row.main else "USES"
    if used not in table.folders:
        return f"includes \"{name}\", but {TABLE} has no folder '{used}'"
    if not row.main and table.folders[used].layer >= row.layer:
        return (
            f'includes "{name}": src/{row.name} is of layer {row.layer} and src/{used} of layer '
            f"{table.folders[used].layer}; only folders of a lower layer may be used"
        )
    return f'includes "{name}", but {where} of {row.name} in {TABLE} does not name {used}'


def fault_of_part(name: str, row: Row, is_test: bool) -> str | None:
    """Say what is wrong with an #include <name>."""
    for pattern, part in PART_OF_HEADER.items():
        if re.match(pattern, name):
            if part in row.parts:
                return None
            return (
                f"includes <{name}>, but {row.name} does not name {part} in PARTS: a part's types "
                "stay in the folders that wrap it"
            )
    if FOR_EVERYONE.match(name) or OF_THE_SYSTEM.fullmatch(name):
        return None
    if FOR_TESTS.match(name):
        return None if is_test else f"includes <{name}>, which is for tests"
    return f"includes <{name}>, which belongs to no part that tools/layers.py knows"


def faults_of_file(path: Path, row: Row, table: Table) -> list[str]:
    """Return the faults of a file, each with its place."""
    is_test = TESTING.search(path.name) is not None
    faults = []
    for line, bracket, name in includes(path):
        if bracket == '"':
            fault = fault_of_ours(name, row, table)
        else:
            fault = fault_of_part(name, row, is_test)
        if fault:
            faults.append(f"src/{path.parent.name}/{path.name}:{line}: {fault}")
    return faults


def documented_parts(page: str) -> dict[str, set[str]]:
    """Return the folders that docs/dependencies.md names for each part of the programs."""
    section = page.partition("## In the programs")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split("|") for line in section.splitlines() if line.startswith("| ")]
    return {row[0].strip(): set(row[4].replace(",", " ").split()) for row in rows[1:]}


def faults_of_page(root: Path, table: Table) -> list[str]:
    """Hold the page of dependencies against PARTS."""
    page = root / "docs" / "dependencies.md"
    told = documented_parts(page.read_text()) if page.is_file() else {}
    wrapped: dict[str, set[str]] = {}
    for row in table.folders.values():
        for part in row.parts:
            wrapped.setdefault(part, set()).add(row.name)
    return [
        f"docs/dependencies.md: says that {part} is wrapped by {sorted(told.get(part, ()))},"
        f" but PARTS in {TABLE} say {sorted(wrapped.get(part, ()))}"
        for part in sorted(wrapped.keys() | told.keys())
        if told.get(part, set()) != wrapped.get(part, set())
    ]


def check(root: Path) -> list[str]:
    """Return every fault of the sources under `root`."""
    table = read_table((root / TABLE).read_text())
    faults = faults_of_page(root, table)
    for path in sorted((root / "src").glob("*/*")):
        if path.suffix not in (".h", ".cc"):
            continue
        folder = path.parent.name
        if folder == "programs":
            row = next((row for row in table.programs if row.main == path.name), None)
        else:
            row = table.folders.get(folder)
        if row is None:
            faults.append(f"src/{folder}/{path.name}: {TABLE} has no row for it")
        else:
            faults += faults_of_file(path, row, table)
    return faults


def main(words: list[str]) -> int:
    """Print every fault and return 1 when there is one."""
    faults = check(Path(words[0]) if words else Path(__file__).resolve().parents[1])
    print("\n".join(faults) if faults else "every include is declared")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
