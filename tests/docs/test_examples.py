"""Every example runs, and every code block of the docs stands in a file that a test runs."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import penstock

ROOT = Path(__file__).resolve().parents[2]
CHURN = ROOT / "examples" / "churn"
QUICKSTART = ROOT / "examples" / "digits" / "quickstart.py"


def environment_of_a_user() -> dict[str, str]:
    """Return an environment as .venv/bin/activate makes it, without settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}


def run(command: list[str], folder: Path) -> str:
    """Run a command as a user would, and return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment_of_a_user(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_quickstart_runs_twice_and_registers_version_2(tmp_path: Path) -> None:
    assert "digits@1" in run([sys.executable, str(QUICKSTART)], tmp_path)
    again = run([sys.executable, str(QUICKSTART)], tmp_path)
    assert "digits@2" in again
    assert "\nstopped cleanly\n" in again


def test_where_next_works_as_printed_wherever_the_user_stands(tmp_path: Path) -> None:
    made, elsewhere = tmp_path / "made here", tmp_path / "elsewhere"
    made.mkdir()
    elsewhere.mkdir()
    _, lines = run([sys.executable, str(QUICKSTART)], made).split("== Where next\n")
    assert str(ROOT / "docs" / "tutorial" / "first-model.md") in lines
    *before, serve = [line for line in lines.splitlines() if not line.startswith("#")]
    assert serve.startswith("penstock serve digits ")
    # A shell in which nothing is activated; the ports that the line leaves out may be taken.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(elsewhere), "PENSTOCK_SERVE_PORT": "0"}
    with subprocess.Popen(
        ["bash", "-e", "-c", "\n".join([*before, f"exec {serve}"])],
        cwd=elsewhere,
        env=environment | {"PENSTOCK_SERVE_ADMIN_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdout is not None
        shown = list(itertools.takewhile(lambda line: " on http://" not in line, shell.stdout))
        assert shell.poll() is None
        shell.terminate()
        assert shell.wait(60) == 0
    assert shown[0] == "digits@1\n"
    assert any("1,797 rows" in line for line in shown)
    assert list(elsewhere.iterdir()) == []


def test_quickstart_fails_where_the_server_does_not_stop_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(QUICKSTART))["main"]
    stop = penstock.Service.stop
    monkeypatch.setattr(penstock.Service, "stop", lambda service: stop(service) and False)
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main() == 1
    told = capsys.readouterr().out
    assert "did not stop cleanly" in told
    assert "stopped cleanly" not in told


def test_first_block(tmp_path: Path) -> None:
    printed = run([sys.executable, str(CHURN / "first_block.py")], tmp_path)
    assert re.search(r"churn@1 +native, checked on 600 rows and \d+ probes: 0 differ", printed)
    assert "http://127.0.0.1:" in printed


def shell_lines(page: str) -> list[str]:
    """Return the lines of the sh blocks of a page.

    The one that begins an app is run in an environment of its own: tests/wheel/test_new_user.py.
    """
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    kept = [block for block in blocks if not block.startswith("penstock init")]
    return [line for block in kept for line in block.splitlines() if line.strip()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def in_background(line: str, folder: Path) -> Iterator[None]:
    """Run a line that serves until it is stopped, and stop it at the end."""
    # The admin port stands in no line, and may be taken as well as the one that does.
    environment = environment_of_a_user() | {"PENSTOCK_SERVE_ADMIN_PORT": "0"}
    server = subprocess.Popen(
        ["bash", "-c", f"exec env {line}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        told = []
        while " on http://127.0.0.1:" not in (line_of := server.stdout.readline()):
            assert line_of, "".join(told)
            told.append(line_of)
        yield
        os.kill(server.pid, signal.SIGTERM)
        # uvicorn stops well, and then ends by the signal all the same.
        assert server.wait(60) == (-signal.SIGTERM if " uvicorn " in line else 0)
    finally:
        server.kill()
        server.communicate()


def run_as_written(page: str, folder: Path) -> list[tuple[str, str]]:
    """Run a page's shell lines in order, but for the port as they are; return what each prints.

    A service runs until the next one, as the pages say, or to the end.
    """
    lines, port = shell_lines(page), str(free_port())
    printed = []
    with contextlib.ExitStack() as services:
        for line in lines:
            here = line.replace("8000", port)
            if line.startswith("penstock serve ") or " uvicorn " in line:
                services.close()
                services.enter_context(in_background(here, folder))
            else:
                printed.append((line, run(["bash", "-c", here], folder)))
    return printed


def check_answer(line: str, printed: str) -> None:
    answer = json.loads(printed)
    assert answer["model"] == "churn", line
    assert answer["predictions"] == ["yes"], line
    assert abs(sum(answer["probabilities"][0]) - 1) < 1e-12


def copy_churn(folder: Path) -> None:
    for name in ("rows.csv", "fit.py", "sample.json"):
        shutil.copy(CHURN / name, folder)


def test_the_readme_from_the_shell(tmp_path: Path) -> None:
    copy_churn(tmp_path)
    run([sys.executable, "fit.py"], tmp_path)
    (register, registered), (curl, answer) = run_as_written("README.md", tmp_path)
    assert register.startswith("penstock register ")
    assert registered.startswith("churn@1  native, ")
    assert curl.startswith("curl ")
    check_answer(curl, answer)


def test_the_tutorial_from_the_shell(tmp_path: Path) -> None:
    copy_churn(tmp_path)
    *_, predict, curl = run_as_written("docs/tutorial/first-model.md", tmp_path)
    assert predict[0].startswith("penstock predict ")
    assert curl[0].startswith("curl ")
    check_answer(*predict)
    check_answer(*curl)


def copy_example(name: str, folder: Path) -> None:
    for file in (ROOT / "examples" / name).iterdir():
        if file.is_file():
            shutil.copy(file, folder)


def test_the_tutorial_of_the_app(tmp_path: Path) -> None:
    copy_example("digits_app", tmp_path)
    _, app, show, train, runs, diff, health = run_as_written("docs/tutorial/app.md", tmp_path)
    metrics, version = app[1].splitlines()[:2]
    assert re.fullmatch(r"\{'accuracy': 0\.9\d+, 'f1': 0\.9\d+\}", metrics)
    assert version.startswith("digits@1  native, checked on 1,797 rows")
    assert "on http://127.0.0.1:" in app[1]
    assert show[1].startswith("digits@1\n")
    assert "digits@2  native" in train[1]
    assert [line.split()[2] for line in runs[1].splitlines()[1:]] == ["finished", "finished"]
    assert re.search(r"^hyperparameters +C +0.01 +0.05$", diff[1], re.MULTILINE)
    (served,) = json.loads(health[1])["models"]
    assert (served["name"], served["engine"]) == ("digits", "own")


def test_the_guide_from_unionml(tmp_path: Path) -> None:
    copy_example("unionml", tmp_path)
    trained, before, native, after = run_as_written("docs/guides/from-unionml.md", tmp_path)
    assert trained[1].startswith("{'train': 1.0, 'test': 0.9638")
    assert "where the answer is `[6.0]`" in (ROOT / "docs/guides/from-unionml.md").read_text()
    assert json.loads(before[1]) == [6.0]
    assert "\ndigits_classifier@1  native, checked on 1,797 rows" in native[1]
    assert '"predictions":[6.0]' in after[1]


def code_of(path: Path) -> str:
    """Return the text of a file, or of a notebook's cells."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "".join(f"\n{''.join(cell['source'])}\n" for cell in cells)


@pytest.mark.parametrize(
    ("page", "files"),
    [
        ("README.md", ["churn/first_block.py"]),
        ("docs/tutorial/first-model.md", ["churn/first_block.py"]),
        ("docs/tutorial/app.md", ["digits_app/app.py"]),
        ("docs/guides/from-unionml.md", ["unionml/app.py"]),
        ("docs/guides/notebooks.md", ["notebook/iris.ipynb"]),
    ],
)
def test_python_blocks_stand_line_by_line_in_the_example(page: str, files: list[str]) -> None:
    example = "".join(code_of(ROOT / "examples" / file) for file in files)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks, f"{page} shows no Python"
    for block in blocks:
        assert f"\n{block}" in example, f"{page} shows lines that the example does not run"


def links(page: Path) -> list[str]:
    """Return the relative links and `path` mentions of a Markdown page."""
    return re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())


def test_links_between_pages_lead_somewhere() -> None:
    pages = [p for p in ROOT.rglob("*.md") if not {".venv", ".deps", "build"} & set(p.parts)]
    broken = [f"{p}: {to}" for p in pages for to in links(p) if not (p.parent / to).exists()]
    assert not broken
