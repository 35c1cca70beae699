"""The stub of the compiled module says what the module has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "python" / "_penstock.pyi"


def check(folder: Path, stub: str) -> subprocess.CompletedProcess[str]:
    (folder / "_penstock.pyi").write_text(stub)
    return subprocess.run(
        [sys.executable, Path(__file__).with_name("check_stub.py"), folder / "allowed.txt"],
        cwd=folder,
        env=os.environ | {"MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def test_the_stub_agrees_with_the_module(tmp_path: Path) -> None:
    done = check(tmp_path, STUB.read_text())
    assert (done.returncode, done.stderr) == (0, "")
    count, _, rest = done.stdout.partition(" functions of nanobind\n")
    assert int(count) >= STUB.read_text().count("\ndef ")
    assert rest == ""


def test_what_a_stub_says_otherwise_is_found(tmp_path: Path) -> None:
    changes = {
        "def read(uri: str)": "def read(url: str)",
        "def home(path: str | None)": "def home(*, path: str | None)",
        "    def gather(self)": "    def gather(self, rows: int)",
        "\nbinary_dir: str\n": "\nbinary_dir: int\nfolder: str\n",
    }
    stub = STUB.read_text()
    for ours, wrong in changes.items():
        assert stub.count(ours) == 1
        stub = stub.replace(ours, wrong)
    done = check(tmp_path, stub)
    assert done.returncode == 1
    names = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    wanted = {"binary_dir", "folder", "home", "read", "Table.gather"}
    assert set(names) == {f"_penstock.{name}" for name in wanted}
