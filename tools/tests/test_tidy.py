"""The house rules find what they are for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import tidy  # noqa: E402

SPLIT = "Split it where the idea changes."
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a repository that keeps every rule."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    write(tmp_path, "src/base/clock.cc", LICENCE + "int Now() {\n  return 1;\n}\n")
    write(tmp_path, "src/base/README.md", "# base\n\nWhat time it is.\n")
    return tmp_path


def write(tree: Path, name: str, text: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


def test_a_tree_in_order_passes(tree: Path) -> None:
    assert tidy.check(tree) == []


def body(lines: int) -> str:
    return "  x += 1;\n" * (lines - 2)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        (
            "src/base/ids.cc",
            "int x;\n",
            "src/base/ids.cc:1: the first line must be '// SPDX-License-Identifier: Apache-2.0'",
        ),
        (
            "src/base/ids.cc",
            LICENCE + f"int x;  // {'y' * 100}\n",
            "src/base/ids.cc:2: over 100 columns (and 0 lines more)",
        ),
        (
            "src/base/ids.cc",
            LICENCE + "int x;\n" * 500,
            f"src/base/ids.cc: a file of 501 lines; at most 500. {SPLIT}",
        ),
        (
            "src/base/ids.cc",
            LICENCE + "int F(int x) {\n" + body(71) + "}\n",
            f"src/base/ids.cc:2: a function of 71 lines; at most 70. {SPLIT}",
        ),
        (
            "src/base/ids.cc",
            LICENCE + "int F(int x,\n      int y) {\n" + body(70) + "}\n",
            f"src/base/ids.cc:2: a function of 71 lines; at most 70. {SPLIT}",
        ),
        (
            "tools/long.py",
            "def f(x):\n" + "    x += 1\n" * 70,
            f"tools/long.py:1: a function of 71 lines; at most 70. {SPLIT}",
        ),
        (
            "src/base/ids.cc",
            LICENCE + "// TO" + "DO: later\n",
            "src/base/ids.cc:2: a leftover; finish it, or write it down in docs/",
        ),
        (
            "docs/a.md",
            "# One\n\n# Two\n",
            "docs/a.md: 2 titles ('# ...'); exactly one, on the first line",
        ),
        (
            "src/base/README.md",
            "# base\n" * 1 + "line\n" * 40,
            f"src/base/README.md: a README of 41 lines; at most 40. {SPLIT}",
        ),
        (
            "src/json/value.h",
            LICENCE,
            "src/json: has no README.md: purpose, main types, limits",
        ),
        (
            "dev",
            "pip install -i https://py" + "pi.org/simple x\n",
            "dev:1: py" + "pi.org: the host of a package registry; leave it to the machine",
        ),
        (
            "docs/b.md",
            "# Two\n\nSee /ro" + "ot/notes.\n",
            "docs/b.md:3: /ro" + "ot/n: a path of one machine; leave it to the machine",
        ),
        (
            "python/penstock/utils/x.txt",
            "",
            "utils: says nothing of what is in it; name it after the idea",
        ),
    ],
)
def test_a_broken_rule_is_told(tree: Path, name: str, text: str, fault: str) -> None:
    write(tree, name, text)
    assert tidy.check(tree) == [fault]


def test_a_function_of_70_lines_passes(tree: Path) -> None:
    write(tree, "src/base/ids.cc", LICENCE + "int F(int x) {\n" + body(70) + "}\n")
    assert tidy.check(tree) == []


def test_the_ratchet_holds_a_longer_file_where_it_is(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree, "src/base/ids.cc", LICENCE + "int x;\n" * 509)
    monkeypatch.setitem(tidy.LONGER, "src/base/ids.cc", 510)
    assert tidy.check(tree) == []
    write(tree, "src/base/ids.cc", LICENCE + "int x;\n" * 510)
    assert tidy.check(tree) == [f"src/base/ids.cc: a file of 511 lines; at most 500. {SPLIT}"]


def test_code_blocks_hold_no_titles(tree: Path) -> None:
    write(tree, "docs/a.md", "# One\n\n```sh\n# a comment\n```\n")
    assert tidy.check(tree) == []


def test_a_test_may_be_one_long_table(tree: Path) -> None:
    write(tree, "src/base/ids_test.cc", LICENCE + "TEST(A, B) {\n" + body(160) + "}\n")
    assert tidy.check(tree) == []
    write(tree, "src/base/ids_test.cc", LICENCE + "TEST(A, B) {\n" + body(161) + "}\n")
    assert len(tidy.check(tree)) == 1
