"""The commands of ./dev."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import build
import check
import fuzz
import lint
import wheel
from setup import setup
from steps import BUILD, ROOT, VENV_PYTHON, StepError, environment, fail, hold

MENU = """Penstock: ./dev COMMAND

  quickstart       install what is missing, build, and run the example: from a SQLite table to a
                   native service
  test [--long]    everything that must pass: lint, layers, unit tests (release and sanitizers),
                   system tests, 30 s of each fuzzer, the instruction budget;
                   --long: minutes of each fuzzer, and the long tests

  setup            install Debian packages, .venv and .deps, where missing
  build            compile the release preset; then .venv/bin/penstock and `import penstock` work
  wheel            build, and pack build/wheel/*.whl, which installs without a compiler
  lint             clang-format, clang-tidy, ruff, mypy, the layer check, the house rules, the
                   page that is made from docstrings
  format           apply clang-format and ruff
  fuzz [NAME] [S]  run one fuzzer, or all, for S seconds each (60)
  bench [NAME]     run bench/NAME.py (serve); results go to bench/results
  clean            remove build/

Builds lie under build/, fetched parts under .deps/, the virtual environment is
.venv/, logs build/log/."""


def command_setup(words: list[str]) -> int:
    """Install what building and testing need."""
    refuse_words("setup", words)
    setup({"test"})
    return 0


def command_build(words: list[str]) -> int:
    """Build the release preset and wire it into .venv."""
    refuse_words("build", words)
    hold(BUILD)
    setup(set())
    build.build()
    build.tell_slowest("release")
    return 0


def command_wheel(words: list[str]) -> int:
    """Build the release preset and pack it into a wheel."""
    refuse_words("wheel", words)
    hold(BUILD)
    setup(set())
    build.build()
    wheel.pack()
    return 0


def command_quickstart(words: list[str]) -> int:
    """Build, and run the example from end to end."""
    refuse_words("quickstart", words)
    hold(BUILD)
    begin = time.monotonic()
    print("Setting up and building", flush=True)
    setup(set())
    build.build()
    folder = BUILD / "quickstart"
    folder.mkdir(parents=True, exist_ok=True)
    code = attached([str(VENV_PYTHON), str(ROOT / "examples/digits/quickstart.py")], folder)
    print(f"\nquickstart took {time.monotonic() - begin:.1f} s; its files are in build/quickstart/")
    return code


def command_test(words: list[str]) -> int:
    """Run everything that must pass."""
    refuse_words("test", [word for word in words if word != "--long"])
    hold(BUILD)
    return check.check(is_long="--long" in words)


def command_lint(words: list[str]) -> int:
    """Run every check that reads the sources."""
    refuse_words("lint", words)
    hold(BUILD)
    setup({"test"})
    build.configure("release")
    return lint.lint()


def command_format(words: list[str]) -> int:
    """Format the sources."""
    refuse_words("format", words)
    setup({"test"})
    lint.apply_format()
    return 0


def command_fuzz(words: list[str]) -> int:
    """Run fuzzers."""
    names = [word for word in words if not word.isdigit()]
    seconds = [int(word) for word in words if word.isdigit()]
    refuse_words("fuzz", names[1:] + [str(s) for s in seconds[1:]])
    hold(BUILD)
    setup({"test"})
    fuzz.build()
    results = fuzz.run_all(seconds=(seconds or [60])[0], only=(names or [None])[0])
    return 1 if any(not result.passed for result in results) else 0


def command_bench(words: list[str]) -> int:
    """Run a benchmark."""
    name, *rest = words or ["serve"]
    script = ROOT / "bench" / f"{name}.py"
    if not script.is_file():
        known = ", ".join(sorted(path.stem for path in (ROOT / "bench").glob("*.py")))
        raise StepError(f"bench '{name}' is not known; bench/ has: {known}.")
    hold(BUILD)
    setup({"bench"})
    build.build()
    return attached([str(VENV_PYTHON), str(script), *rest], ROOT)


def command_clean(words: list[str]) -> int:
    """Remove build/."""
    refuse_words("clean", words)
    shutil.rmtree(BUILD, ignore_errors=True)
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    name.removeprefix("command_"): function
    for name, function in list(globals().items())
    if name.startswith("command_")
}


def attached(command: list[str], folder: Path) -> int:
    """Run a command on this terminal and return its exit code."""
    return subprocess.run(command, cwd=folder, env=environment(), check=False).returncode


def refuse_words(command: str, words: list[str]) -> None:
    """Refuse words that a command does not know."""
    if words:
        raise StepError(f"./dev {command} does not know '{words[0]}'; ./dev alone prints the menu.")


def main(words: list[str]) -> int:
    """Run one command of the menu and return the exit code."""
    if not words or words[0] in ("help", "-h", "--help"):
        print(MENU)
        return 0
    if words[0] not in COMMANDS:
        print(MENU)
        return fail(f"'{words[0]}' is not a command of ./dev.") + 1
    try:
        return COMMANDS[words[0]](words[1:])
    except StepError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
