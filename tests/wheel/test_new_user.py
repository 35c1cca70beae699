"""A new user's first app: the wheel in a fresh environment, and README's commands as written."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from environments import ROOT, Environment


def block() -> list[str]:
    """Return the commands of README that begin an app."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith("penstock init")]
    lines: list[str] = found.splitlines()
    return lines


def answer(environment: Environment, command: str, folder: Path, sample: bytes) -> list[str]:
    """Run `penstock serve`, send it a request, and return its predictions."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment.settings() | {"PENSTOCK_SERVE_PORT": "0", "PENSTOCK_SERVE_ADMIN_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[:1]
        with urllib.request.urlopen(f"{url}/docs") as page:
            assert b"Try the model" in page.read()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/predict", sample, headers)
        ) as answered:
            predictions: list[str] = json.load(answered)["predictions"]
        server.terminate()
    assert server.returncode == 0
    return predictions


def test_the_commands_of_the_readme_are_all_that_a_first_app_takes(
    make_environment: Callable[..., Environment], archive: Path, locked: Path, tmp_path: Path
) -> None:
    environment = make_environment("new", f"{archive}[sklearn]", "-c", locked)
    folder = tmp_path
    ran = []
    for line in block():
        ran.append(line.split()[0] + " " + line.split()[1] if " " in line else line)
        if line.startswith("cd "):
            folder /= line.removeprefix("cd ")
        elif line.startswith("penstock serve"):
            sample = (folder / "sample.json").read_bytes()
            assert answer(environment, line, folder, sample)[0] in ("left", "stayed")
        else:
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=folder,
                env=environment.settings() | {"PIP_CONSTRAINT": str(locked)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert ran == [
        "penstock init",
        "cd shop",
        "pip install",
        "pytest",
        "penstock check",
        "penstock train",
        "penstock serve",
    ]
    # The app is edited, trained again, and the next version answers.
    app = folder / "app.py"
    app.write_text(app.read_text().replace("C: float = 1.0", "C: float = 0.1"))
    environment.run("penstock", "check", "app:model", "--against", "shop@1", cwd=folder)
    environment.run("penstock", "train", "app:model", cwd=folder)
    shown = environment.run("penstock", "models", "diff", "shop@1", "shop@2", cwd=folder)
    assert "metric" in shown
