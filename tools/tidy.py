"""The house rules that a program can check.

    python3 tools/tidy.py [ROOT]

Columns, length of files and functions, the licence line, leftovers, one title a page, a README for
every folder of src/, no names of package registries or places on one machine, no folder that is
named after nothing.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

COLUMNS_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
README_LINES_MAX = 40

# A test is often one table of cases, and a file of them follows one interface.
TEST_FILE_LINES_MAX = 750
TEST_FUNCTION_LINES_MAX = 160

# A ratchet: files, and the longest function of a file ("NAME functions"), that are longer for a
# reason, with the length they have. They may shrink, not grow.
LONGER: dict[str, int] = {
    "src/http/response.cc functions": 74,  # the table of reason phrases
}

LICENCE = "// SPDX-License-Identifier: Apache-2.0"
LEFTOVER = re.compile(r"(//|#)\s*(TO" r"DO|FIX" r"ME|XXX)\b")
REGISTRY = re.compile(
    r"pypi\.or[g]|pythonhosted\.or[g]|npmjs\.(or[g]|co[m])|(proxy|sum)\.golang\.or[g]"
    r"|static\.crates\.i[o]|(deb|security)\.debian\.or[g]|repo1?\.maven\b"
)
MACHINE = re.compile(r"(?<![\w.])/(root|work)/\w")
NAMELESS = re.compile(r"^(managers?|helpers?|utils?|utilit(y|ies)|common|core|misc)$")
WIDE = re.compile(r"https?://|NOLINT|R\"")
CONTROL = re.compile(
    r"^\s*(if|for|while|switch|else|do|catch|return|namespace|class|struct|enum|union|case)\b|^\s*}"
)


def tracked(root: Path) -> list[Path]:
    """Return the files that git tracks or would add."""
    command = [
        "git",
        "-C",
        str(root),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [root / name for name in sorted(names) if name and (root / name).is_file()]


def indent_of(line: str) -> int:
    """Return by how many columns a line is set in."""
    return len(line) - len(line.lstrip())


def cpp_functions(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Return the first line and the length of each function of a file that clang-format laid out.

    A signature over several lines is set in by 4 or more after its first line.
    """
    start = None
    for index, line in enumerate(lines):
        if start is not None:
            if indent_of(line) == indent_of(lines[start]) and line.lstrip().startswith("}"):
                yield start + 1, index - start + 1
                start = None
        elif line.endswith("{"):
            first = index
            while first > 0 and (indent_of(lines[first]) >= 4 or not lines[first]):
                first -= 1
            if "(" in lines[first] and not CONTROL.match(lines[first]):
                start = first


def python_functions(text: str) -> Iterator[tuple[int, int]]:
    """Return the first line and the length, without docstring, of each Python function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            words = ast.get_docstring(node, clean=False) or ""
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield node.lineno, length - len(words.splitlines())


def too_long(key: str, place: str, length: int, limit: int, what: str) -> Iterator[str]:
    """Say that something is too long, unless the ratchet allows it."""
    if length > max(limit, LONGER.get(key, 0)):
        remedy = "Split it where the idea changes."
        yield f"{place}: {what} of {length} lines; at most {limit}. {remedy}"


def check_code(name: str, text: str) -> Iterator[str]:
    """Check a source file in C++ or Python."""
    lines = text.splitlines()
    is_python = name.endswith(".py")
    is_test = re.search(r"(^|/)test_\w+\.py$|_test\.cc$", name) is not None
    file_max = TEST_FILE_LINES_MAX if is_test else FILE_LINES_MAX
    function_max = TEST_FUNCTION_LINES_MAX if is_test else FUNCTION_LINES_MAX
    yield from too_long(name, name, len(lines), file_max, "a file")
    if not is_python and lines[:1] != [LICENCE]:
        yield f"{name}:1: the first line must be '{LICENCE}'"
    functions = python_functions(text) if is_python else cpp_functions(lines)
    for line, length in functions:
        yield from too_long(
            f"{name} functions", f"{name}:{line}", length, function_max, "a function"
        )
    wide = [
        n for n, line in enumerate(lines, 1) if len(line) > COLUMNS_MAX and not WIDE.search(line)
    ]
    if wide:
        yield f"{name}:{wide[0]}: over {COLUMNS_MAX} columns (and {len(wide) - 1} lines more)"
    for number, line in enumerate(lines, 1):
        if LEFTOVER.search(line):
            yield f"{name}:{number}: a leftover; finish it, or write it down in docs/"


def check_markdown(name: str, text: str) -> Iterator[str]:
    """Check a page: one title."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^# .+", outside, re.MULTILINE)
    if len(titles) != 1 or not text.startswith("# "):
        yield f"{name}: {len(titles)} titles ('# ...'); exactly one, on the first line"
    if re.fullmatch(r"src/\w+/README\.md", name):
        yield from too_long(name, name, len(text.splitlines()), README_LINES_MAX, "a README")


def check_any(name: str, text: str) -> Iterator[str]:
    """Check what holds for every file: no place that exists on one machine only."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in (
            (REGISTRY, "the host of a package registry"),
            (MACHINE, "a path of one machine"),
        ):
            found = pattern.search(line)
            if found:
                yield f"{name}:{number}: {found[0]}: {what}; leave it to the machine"


def check_names(names: list[str]) -> Iterator[str]:
    """Check the names of files and folders."""
    parts = {part for name in names for part in Path(name).parts}
    for part in sorted(parts):
        if NAMELESS.match(Path(part).stem):
            yield f"{part}: says nothing of what is in it; name it after the idea"
    folders = {name.split("/")[1] for name in names if re.match(r"src/\w+/.*\.(cc|h)$", name)}
    for folder in sorted(folders):
        if f"src/{folder}/README.md" not in names:
            yield f"src/{folder}: has no README.md: purpose, main types, limits"


CHECKS: dict[str, Callable[[str, str], Iterator[str]]] = {
    ".cc": check_code,
    ".h": check_code,
    ".py": check_code,
    ".md": check_markdown,
}


def check(root: Path) -> list[str]:
    """Return every fault of the files under `root`."""
    files = tracked(root)
    names = [path.relative_to(root).as_posix() for path in files]
    faults = list(check_names(names))
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        faults += check_any(name, text)
        if path.suffix in CHECKS and "/testdata/" not in name:
            faults += CHECKS[path.suffix](name, text)
    return faults


def main(words: list[str]) -> int:
    """Print every fault and return 1 when there is one."""
    faults = check(Path(words[0]) if words else Path(__file__).resolve().parents[1])
    print("\n".join(faults) if faults else "every house rule holds")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
