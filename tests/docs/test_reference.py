"""The pages that are made from docstrings and from --help are what these say."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import penstock

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    return module


def test_the_page_of_python_is_what_the_docstrings_say(reference: ModuleType) -> None:
    assert reference.check() == []


def test_the_page_of_commands_is_what_they_print(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import _penstock

    program = Path(_penstock.binary_dir) / "penstock"
    monkeypatch.setattr(reference, "PROGRAM", program)
    assert reference.CLI_PAGE.read_text() == reference.cli_page(), "python3 tools/reference.py"


def test_a_changed_docstring_is_told(
    reference: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / tmp_path / "python.md"
    page.write_text(reference.python_page().replace("Return a registered version.", "Return it."))
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "PYTHON_PAGE", page)
    assert reference.check() == [
        "python.md: is not what the docstrings say; python3 tools/reference.py writes it"
    ]


@pytest.mark.parametrize("name", [name for name in penstock.__all__ if name != "__version__"])
def test_every_public_name_is_documented_with_an_example(name: str) -> None:
    docstring = getattr(penstock, name).__doc__
    assert docstring, name
    assert "\nExamples\n" in re.sub(r"^ +", "", docstring, flags=re.MULTILINE)
    assert ">>> " in docstring
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    assert re.search(rf"^## {name}$|`{name}`", page, re.MULTILINE)


def test_every_method_and_argument_stands_on_the_page(reference: ModuleType) -> None:
    page = reference.python_page()
    for told in ("### Model.train", "### Model.save", "### Service.stop", "### Table.to_pandas"):
        assert f"\n{told}\n" in page
    assert "- `predict`: What stands between the model and its answers" in page
    assert "mb_max: float = 64" in page


def test_docstrings_name_every_argument_of_a_public_function() -> None:
    for name in ("register", "load", "models", "runs", "read", "report", "services"):
        function = getattr(penstock, name)
        told = function.__doc__
        for argument in function.__annotations__.keys() - {"return"}:
            assert re.search(rf"^ +(\*\*)?{argument}\b|, (\*\*)?{argument}$", told, re.M), argument


def test_examples_are_python() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    blocks = re.findall(r"```pycon\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > 15
    for block in blocks:
        lines = [line[4:] for line in block.splitlines() if line.startswith((">>> ", "... "))]
        ast.parse("\n".join(lines))
