"""A model as Python workers run it: the pickled object, and what it needs beside it."""

from __future__ import annotations

import pickle
import platform
import sys
from typing import TYPE_CHECKING, Any

from _penstock import InvalidArgumentError
from penstock._alone import check_alone
from penstock._captured import captured
from penstock._contents import Contents, Gathered
from penstock._packed_source import Needs, modules_named_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from penstock._containers import Container

MODEL_FILE = "python/model.pickle"
ROWS_FILE = "python/rows.pickle"
REQUIREMENTS_FILE = "python/requirements.txt"
FUNCTIONS_FILE = "python/functions.py"
SOURCE_FOLDER = "python/source"


def worker_form(
    model: Any,
    container: Container,
    signature: Mapping[str, Any],
    contents: Contents,
    folders: tuple[Path, ...],
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the options of the engine's entry and the files, the pickled model first.

    They were loaded in a new process, which gave the model's answers.

    Parameters
    ----------
    signature
        As the manifest has it.
    folders
        The app's, which files may be taken from.

    Raises
    ------
    InvalidArgumentError
        The model cannot be pickled, needs what a worker could not import, or what no package
        takes; a clause.
    """
    found = captured(model, contents)
    rows = pickle.dumps(container.parts(), protocol=5)
    named = modules_named_in(found.content)
    if "__main__" in named:
        raise InvalidArgumentError(
            "it needs what this script or notebook defines, which a worker cannot import: install "
            "cloudpickle, or put that into a module and import it from there"
        )
    gathered = Gathered(contents, folders)
    needs = Needs(gathered)
    for module in sorted({"numpy"} | named | found.modules | modules_named_in(rows)):
        needs.add(module)
    gathered.take_included()
    source = {f"{SOURCE_FOLDER}/{name}": content for name, content in gathered.files.items()}
    options: dict[str, Any] = {
        "interpreter": {
            "path": sys.executable,
            "version": platform.python_version(),
            "implementation": sys.implementation.name,
        },
        "packages": dict(sorted(needs.packages.items())),
        "rows": ROWS_FILE,
        "source": [SOURCE_FOLDER] if source else [],
    }
    files = {MODEL_FILE: found.content, ROWS_FILE: rows} | source
    alone = check_alone(options, files, signature, needs.modules, model, container)
    files[REQUIREMENTS_FILE] = _requirements(alone.requirements | needs.packages)
    options["requirements"] = REQUIREMENTS_FILE
    if found.sources:
        files[FUNCTIONS_FILE] = _functions(found.sources)
    return options, files


def _requirements(versions: Mapping[str, str]) -> bytes:
    """Return versions as pip reads them."""
    about = f"# {sys.implementation.name} {platform.python_version()}; penstock beside them\n"
    lines = (f"{name}=={version}\n" for name, version in sorted(versions.items()))
    return (about + "".join(lines)).encode()


def _functions(sources: Mapping[str, str]) -> bytes:
    """Return the sources of what stands in the pickle by value, for people to read."""
    about = "# What the script or the notebook defined, as it stands in model.pickle.\n"
    return (about + "".join(f"\n\n{source}" for source in sources.values())).encode()
