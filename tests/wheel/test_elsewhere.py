"""The wheel on a machine without anything of ours, and beside other versions and libraries."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import ROOT, Environment

HERE = Path(__file__).parent
CHURN = ROOT / "examples" / "churn"
MAIN_PATH = [f"tests/python/test_{name}.py" for name in ("native", "app", "train")]

pytestmark = pytest.mark.long


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can bootstrap and enter a Debian")
def test_a_debian_with_python_alone(archive: Path) -> None:
    import fresh_machine

    machine = fresh_machine.Machine("wheel", ("python3-venv", "ca-certificates"))
    machine.make()
    home = fresh_machine.HOME
    shutil.copy(archive, f"{machine.root}{home}")
    shutil.copytree(CHURN, f"{machine.root}{home}/churn")

    def command(*words: str) -> list[str]:
        return machine.command(list(words), f"{home}/churn")

    def run(*words: str) -> str:
        done = subprocess.run(
            command(*words), env=fresh_machine.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    assert run("bash", "-c", "type -p cc gcc c++ make cmake git || echo none") == "none\n"
    run("python3", "-m", "venv", f"{home}/venv")
    run(f"{home}/venv/bin/pip", "install", "--quiet", f"{home}/{archive.name}[sklearn]")
    printed = run(f"{home}/venv/bin/python", "first_block.py")
    assert re.search(r"churn@1 +native, checked on 600 rows and \d+ probes: 0 differ", printed)
    told = run(f"{home}/venv/bin/penstock", "doctor")
    assert "WRONG" not in told
    assert "ok  python       Python 3.11.2, scikit-learn" in told
    words = (f"{home}/venv/bin/penstock", "serve", "churn", "--port", "0", "--admin-port", "0")
    server = subprocess.Popen(
        command(*words), env=fresh_machine.environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = re.findall(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[0]
        asked = urllib.request.Request(
            f"{url}/predict",
            (CHURN / "sample.json").read_bytes(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["predictions"] == ["yes"]
    finally:
        server.kill()  # unshare, which ignores gentler signals; what it started ends with it
        server.communicate()


@pytest.mark.parametrize(
    "versions",
    [
        ["numpy==1.26.4", "pandas==2.2.3", "pyarrow==17.0.0", "scikit-learn==1.9.1"],
        ["numpy==2.4.6", "pandas==3.1.1", "pyarrow==26.0.1", "scikit-learn==1.9.1"],
    ],
    ids=["pandas 2 and numpy 1", "pandas 3 and numpy 2"],
)
def test_the_main_path_with_other_versions(
    versions: list[str], make_environment: Callable[..., Environment], archive: Path
) -> None:
    tools = ["pytest==9.2.0", "requests", "polars"]
    environment = make_environment("versions", f"{archive}[sklearn]", *versions, *tools)
    assert "No broken requirements" in environment.run("pip", "check", cwd=ROOT)
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *MAIN_PATH)
    # The wheel's own, not what a checkout has.
    where = environment.run("python", "-c", "import penstock; print(penstock.__file__)", cwd=ROOT)
    assert where.startswith(str(environment.folder))
    told = environment.run("python", *words, cwd=ROOT)
    assert re.search(r"^\.+ +\[100%\]$", told, re.MULTILINE)


@pytest.mark.parametrize("wanted", ["tensorflow==2.21.0", "kfp==2.17.3"])
def test_beside_libraries_with_pins_of_their_own(
    wanted: str,
    make_environment: Callable[..., Environment],
    archive: Path,
    tmp_path: Path,
) -> None:
    library = wanted.partition("=")[0]
    environment = make_environment(library, f"{archive}[sklearn]", wanted)
    assert "No broken requirements" in environment.run("pip", "check", cwd=tmp_path)
    (tmp_path / "data.csv").write_text("a,b\n1,2\n3,4\n")
    told = environment.run("python", HERE / "beside.py", library, cwd=tmp_path)
    assert told.splitlines()[-3:] == ["own", "onnxruntime", library]


@pytest.mark.parametrize("extra", ["sklearn", "lightgbm", "xgboost", "pandas", "polars", "fastapi"])
def test_each_extra_brings_what_its_calls_import(
    extra: str, make_environment: Callable[..., Environment], archive: Path, tmp_path: Path
) -> None:
    environment = make_environment(extra, f"{archive}[{extra}]")
    assert "No broken requirements" in environment.run("pip", "check", cwd=tmp_path)
    ask = (
        "import importlib, sys; from penstock._extras import _PACKAGES\n"
        "for name, (_, extra) in _PACKAGES.items():\n"
        "  if extra == sys.argv[1]: importlib.import_module(name); print(name)"
    )
    assert environment.run("python", "-c", ask, extra, cwd=tmp_path)


def test_pip_builds_the_wheel_from_a_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path]
    done = subprocess.run([*pip, ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob("*.whl")
    assert made.name.startswith("penstock-0.")
