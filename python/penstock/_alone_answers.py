"""The new process of `_alone`: load a package's Python part, predict, tell what happened."""

from __future__ import annotations

import importlib
import pickle
import sys
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any

from penstock._alone import ANSWER_FILE, CALL_FILE
from penstock._contents import is_installed
from penstock._model import first_line
from penstock._packed_source import OWN
from penstock._worker import Original

OURS = Path(__file__).parent


def main(folder: str, bare: set[str]) -> None:
    """Answer the call that lies in a folder, into a file beside it.

    Parameters
    ----------
    folder
        The package.
    bare
        Modules that the interpreter loads by itself.
    """
    package = Path(folder)
    call = pickle.loads((package / CALL_FILE).read_bytes())
    told: dict[str, Any] = {"missing": [], "error": None, "file": None, "where": "", "answer": None}
    told["stage"] = "be loaded"
    try:
        original = Original(package)
        told["stage"] = "predict"
        told["answer"] = original.answer(call["columns"], call["rows"])
    except BaseException as error:  # SystemExit too: it is the model's
        told["error"] = f"{type(error).__name__}: {first_line(error)}"
        told["file"] = _missing_file(error)
        told["where"] = _where(error, package)
        told["missing"] = _missing_modules(error, call["modules"])
    told["requirements"] = _requirements(set(sys.modules) - bare)
    (package / ANSWER_FILE).write_bytes(pickle.dumps(told, protocol=5))


def _missing_file(error: BaseException) -> str | None:
    if isinstance(error, FileNotFoundError | NotADirectoryError) and error.filename:
        return str(error.filename)
    return None


def _where(error: BaseException, package: Path) -> str:
    """Return the innermost line of the user's own code that an error passed, or ""."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(package):
            return f"line {frame.lineno} of '{path.name}'"
        if not path.is_file() and not frame.filename.startswith("<frozen"):
            return f"'{frame.name}'"  # of a notebook: its lines are in no file
        if path.is_file() and not is_installed(path) and not path.is_relative_to(OURS):
            return f"line {frame.lineno} of '{path.name}'"
    return ""


def _missing_modules(error: BaseException, needed: list[str]) -> list[str]:
    """Return the modules that cannot be imported: the one that was told, and others needed."""
    missing = dict.fromkeys(_names_in(error))
    if not missing:
        return []
    for name in needed:
        try:
            importlib.import_module(name)
        except Exception as other:
            missing |= dict.fromkeys(_names_in(other))
    return list(missing)


def _names_in(error: BaseException | None) -> list[str]:
    names = []
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            names.append(error.name)
        error = error.__cause__ or error.__context__
    return names


def _requirements(loaded: set[str]) -> dict[str, str]:
    """Return the versions of the distributions that modules come from."""
    tops = {name.partition(".")[0] for name in loaded} - OWN - set(sys.stdlib_module_names)
    distributions = metadata.packages_distributions()
    found = {}
    for top in tops:
        for distribution in set(distributions.get(top, [])):
            # Of a folder that several share, those whose own modules are there.
            if len(set(distributions[top])) == 1 or _is_loaded(distribution, loaded):
                found[distribution] = metadata.version(distribution)
    return dict(sorted(found.items()))


def _is_loaded(distribution: str, loaded: set[str]) -> bool:
    files = metadata.files(distribution) or []
    modules = {
        path.as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in files
        if path.suffix == ".py"
    }
    return bool(modules & loaded)
