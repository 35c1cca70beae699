"""The notebook of the examples, run in a kernel from top to bottom, and cells of it again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from kernels import running

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "notebook" / "iris.ipynb"


def test_the_notebook_runs_and_its_cells_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PENSTOCK_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    cells = {cell["id"]: i for i, cell in enumerate(json.loads(NOTEBOOK.read_text())["cells"])}
    with running(tmp_path, NOTEBOOK) as kernel:
        shown = {name: kernel.run_again(i) for name, i in cells.items() if i not in (0, 8)}
        assert re.search(r"^\{'accuracy': (1.0|0.9\d*)\}$", shown["train"], re.MULTILINE)
        assert shown["register"].startswith("iris@1  native, checked on 150 rows")
        assert re.match(r"iris@1 on http://127.0.0.1:\d+", shown["serve"])
        assert shown["ask"] == "[0]"
        assert shown["again"] == "['small setosa', 'large virginica']"
        assert shown["stop"] == "True"
        # A cell that is run again serves the newest version, and the service before it is ended.
        kernel.run_again(cells["serve"])
        assert "iris@2 on" in kernel.run_again(cells["serve"])
        assert kernel.run_again(cells["ask"]) == "['small setosa']"
        assert kernel.run("len(penstock.services())") == "1"
        assert kernel.run_again(cells["stop"]) == "True"


def test_the_notebook_is_kept_without_what_it_shows() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
