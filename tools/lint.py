"""Every check that reads the sources: format, clang-tidy, ruff, mypy, layers, house rules,
the page that is made from docstrings.
"""

from __future__ import annotations

from collections.abc import Callable

import clang_tidy
import layers
import reference
import tidy
from steps import ROOT, VENV, run, step

CLANG_FORMAT = VENV / "bin" / "clang-format"
RUFF = VENV / "bin" / "ruff"
LINES_SHOWN_MAX = 60


def cpp_files() -> list[str]:
    """Return the C++ files of ours."""
    return [
        str(path.relative_to(ROOT))
        for folder in ("src", "bench", "include")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".h", ".cc", ".cpp") and "testdata" not in path.parts
    ]


def command(title: str, words: list[object]) -> list[str]:
    """Run a tool and return what it complains of."""
    code, told = run(title, [str(word) for word in words], check=False)
    return (told.splitlines() or [f"exit code {code}"]) if code else []


def clang_format() -> list[str]:
    """Check the layout of the C++ files."""
    found = command("clang-format", [CLANG_FORMAT, "--dry-run", "-Werror", *cpp_files()])
    files = sorted({line.partition(":")[0] for line in found if ": error: " in line})
    return [
        f"{name}: not laid out by .clang-format; ./dev format does it" for name in files
    ] or found


def run_clang_tidy() -> list[str]:
    """Check the C++ files for faults and names."""
    with step("clang-tidy"):
        total, checked, found = clang_tidy.check("release")
    print(
        f"    {checked} of {total} sources checked, {total - checked} unchanged since they passed"
    )
    return found


def ruff() -> list[str]:
    """Check the Python files for faults."""
    return command("ruff check", [RUFF, "check", "--quiet", "--output-format", "concise", "."])


def ruff_format() -> list[str]:
    """Check the layout of the Python files."""
    return command("ruff format", [RUFF, "format", "--check", "."])


def mypy() -> list[str]:
    """Check the types of the Python package."""
    if not (ROOT / "python" / "penstock").is_dir():
        return []
    return command("mypy --strict python/penstock", [VENV / "bin" / "mypy"])


def check_layers() -> list[str]:
    """Check every include against cmake/layers.cmake."""
    with step("layers"):
        return layers.check(ROOT)


def check_rules() -> list[str]:
    """Check the house rules."""
    with step("house rules"):
        return tidy.check(ROOT)


def check_reference() -> list[str]:
    """Check the page that is made from the docstrings."""
    with step("reference"):
        return reference.check()


CHECKS: list[Callable[[], list[str]]] = [
    check_layers,
    check_rules,
    check_reference,
    clang_format,
    ruff,
    ruff_format,
    mypy,
    run_clang_tidy,
]


def lint() -> int:
    """Run every check, print what each finds, and return how many failed. build/release must be
    configured.
    """
    failed = 0
    for check in CHECKS:
        found = check()
        failed += bool(found)
        for line in found[:LINES_SHOWN_MAX]:
            print(f"    {line}")
        if len(found) > LINES_SHOWN_MAX:
            print(f"    and {len(found) - LINES_SHOWN_MAX} more lines")
    return failed


def apply_format() -> None:
    """Lay out every C++ and Python file."""
    run("clang-format", [CLANG_FORMAT, "-i", *cpp_files()])
    run("ruff check --fix", [RUFF, "check", "--fix-only", "--quiet", "."])
    run("ruff format", [RUFF, "format", "--quiet", "."])
