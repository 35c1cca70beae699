"""./dev: the menu is true, and what it does not know is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import dev as menu  # noqa: E402
from steps import StepError, hold  # noqa: E402

SCREEN_LINES = 24


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "dev", *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("words", [[], ["help"], ["--help"]], ids=["alone", "help", "--help"])
def test_the_menu_fits_a_screen_and_names_every_command(words: list[str]) -> None:
    done = dev(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) <= SCREEN_LINES
    assert set(re.findall(r"^  ([a-z]+) ", done.stdout, re.MULTILINE)) == set(menu.COMMANDS)


def test_an_unknown_command_is_told_beside_the_menu() -> None:
    done = dev("tset")
    assert done.returncode != 0
    assert done.stderr == "error: 'tset' is not a command of ./dev.\n"
    assert done.stdout == menu.MENU + "\n"


@pytest.mark.parametrize("words", [["lint", "src"], ["test", "--lnog"]])
def test_a_word_that_a_command_does_not_know_is_refused(words: list[str]) -> None:
    done = dev(*words)
    assert done.returncode != 0
    told = f"error: ./dev {words[0]} does not know '{words[1]}'; ./dev alone prints the menu.\n"
    assert (done.stdout, done.stderr) == ("", told)


def test_a_second_command_in_one_checkout_is_refused(tmp_path: Path) -> None:
    holding = "import sys, steps, pathlib; steps.hold(pathlib.Path(sys.argv[1])); print(flush=True)"
    first = subprocess.Popen(
        [sys.executable, "-c", holding + "; sys.stdin.read()", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT / "tools",
    )
    assert first.stdout is not None
    first.stdout.readline()
    with pytest.raises(StepError, match=f"process {first.pid} works in .* already"):
        hold(tmp_path)
    first.kill()
    first.communicate()
    hold(tmp_path)
