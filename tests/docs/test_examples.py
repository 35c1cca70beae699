"""Every example runs, and every code block of the docs stands in a file that a test runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHURN = ROOT / "examples" / "churn"
PENSTOCK = Path(sys.executable).parent / "penstock"


def run(command: list[str], folder: Path) -> str:
    """Run a command as a user would, without settings of its own, and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_quickstart_runs_twice_and_registers_version_2(tmp_path: Path) -> None:
    script = str(ROOT / "examples" / "digits" / "quickstart.py")
    assert "digits@1" in run([sys.executable, script], tmp_path)
    again = run([sys.executable, script], tmp_path)
    assert "digits@2" in again
    assert "stopped cleanly" in again


def test_first_block(tmp_path: Path) -> None:
    printed = run([sys.executable, str(CHURN / "first_block.py")], tmp_path)
    assert re.search(r"churn@1 +native, checked on 600 rows and \d+ probes: 0 differ", printed)
    assert "http://127.0.0.1:" in printed


def shell_commands(page: str) -> list[str]:
    """Return the lines of the sh blocks of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_tutorial_from_the_shell(tmp_path: Path) -> None:
    for name in ("rows.csv", "fit.py", "sample.json"):
        shutil.copy(CHURN / name, tmp_path)
    printed = ""
    for line in shell_commands("docs/tutorial/first-model.md"):
        if line.startswith(("curl", "penstock serve")):
            continue
        program, *arguments = line.split()
        binary = {"python": sys.executable, "penstock": str(PENSTOCK)}[program]
        printed = run([binary, *arguments], tmp_path)
    answer = json.loads(printed)
    assert answer["model"] == "churn"
    assert answer["predictions"] == ["yes"]
    assert abs(sum(answer["probabilities"][0]) - 1) < 1e-12


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial/first-model.md"])
def test_python_blocks_stand_in_an_example(page: str) -> None:
    examples = "\n".join(p.read_text() for p in sorted((ROOT / "examples").rglob("*.py")))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks, f"{page} shows no Python"
    for block in blocks:
        for line in block.splitlines():
            code = line.split("  #")[0].rstrip()
            assert code in examples, f"{page} shows a line that no example runs: {code!r}"


def links(page: Path) -> list[str]:
    """Return the relative links and `path` mentions of a Markdown page."""
    return re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())


def test_links_between_pages_lead_somewhere() -> None:
    pages = [p for p in ROOT.rglob("*.md") if not {".venv", ".deps", "build"} & set(p.parts)]
    broken = [f"{p}: {to}" for p in pages for to in links(p) if not (p.parent / to).exists()]
    assert not broken
