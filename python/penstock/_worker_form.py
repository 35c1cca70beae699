"""A model as Python workers run it: the pickled object, and what it needs beside it."""

from __future__ import annotations

import ast
import contextlib
import pickle
import pickletools
import platform
import sys
import sysconfig
import warnings
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _penstock import InvalidArgumentError
from penstock._model import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from penstock._containers import Container

MODEL_FILE = "python/model.pickle"
ROWS_FILE = "python/rows.pickle"
SOURCE_FOLDER = "python/source"
SOURCE_FILES_MAX = 1000
SOURCE_BYTES_MAX = 10 * 1024 * 1024

# Of the worker itself.
_OWN = {"penstock", "_penstock"}


def worker_form(model: Any, container: Container) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the options of the engine's entry and the files, the pickled model first.

    Raises
    ------
    InvalidArgumentError
        The model cannot be pickled, or needs what a worker could not import; a clause.
    """
    pickled = _pickled(model)
    rows = pickle.dumps(container.parts(), protocol=5)
    needs = Needs()
    needs.add("numpy")
    for content in (pickled, rows):
        for module in modules_named_in(content):
            needs.add(module)
    options = {
        "interpreter": {
            "path": sys.executable,
            "version": platform.python_version(),
            "implementation": sys.implementation.name,
        },
        "packages": dict(sorted(needs.packages.items())),
        "rows": ROWS_FILE,
        "source": [SOURCE_FOLDER] if needs.source else [],
    }
    return options, {MODEL_FILE: pickled, ROWS_FILE: rows} | needs.source


def _pickled(model: Any) -> bytes:
    """Return the model pickled; what a script or a notebook defines, by value where it can be."""
    try:
        from cloudpickle import dumps
    except ImportError:
        dumps = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pickled: bytes = (dumps or pickle.dumps)(model, protocol=5)
        except Exception as error:
            raise InvalidArgumentError(
                f"it cannot be pickled ({type(error).__name__}: {first_line(error)})"
            ) from error
    if "__main__" in modules_named_in(pickled):
        raise InvalidArgumentError(
            "it needs what this script or notebook defines, which a worker cannot import: install "
            "cloudpickle, or put that into a module and import it from there"
        )
    return pickled


def modules_named_in(pickled: bytes) -> set[str]:
    """Return the modules that unpickling imports, without unpickling anything."""
    modules: set[str] = set()
    memo: dict[int, Any] = {}
    pushed: list[Any] = []
    argument: Any
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in {"PROTO", "FRAME"}:
            continue
        if opcode.name == "MEMOIZE":
            memo[len(memo)] = pushed[-1] if pushed else None
            continue
        if opcode.name in {"BINPUT", "LONG_BINPUT", "PUT"}:
            memo[argument] = pushed[-1] if pushed else None
            continue
        value: Any = None
        if opcode.name in {"BINGET", "LONG_BINGET", "GET"}:
            value = memo.get(argument)
        elif opcode.name == "STACK_GLOBAL":
            value = tuple(pushed[-2:])
        elif opcode.name == "GLOBAL":
            value = tuple(argument.split(" ", 1))
        elif isinstance(argument, str):
            value = argument
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
            modules.add(value[0])
        # A module that a function of a notebook uses: cloudpickle names it to a function.
        if (
            isinstance(value, str)
            and pushed
            and pushed[-1] == ("cloudpickle.cloudpickle", "subimport")
        ):
            modules.add(value)
        pushed = [*pushed[-1:], value]
    return modules


@dataclass
class Needs:
    """What modules stand for: installed packages by version, and files of the user's own."""

    packages: dict[str, str] = field(default_factory=dict)
    source: dict[str, bytes] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _distributions: Mapping[str, list[str]] = field(default_factory=metadata.packages_distributions)

    def add(self, module_name: str) -> None:
        """Take the package or the files that a module belongs to, and what those import."""
        top = module_name.partition(".")[0]
        if top in _OWN or top in sys.stdlib_module_names:
            return
        # What is imported without its parent, as test runners do, stands for itself alone.
        name = top if _place_of(top) else module_name
        if name in self._seen:
            return
        self._seen.add(name)
        place = _place_of(name)
        if place is not None and not _is_installed(place):
            self._take_source(name)
            return
        for distribution in self._distributions.get(top, []):
            with contextlib.suppress(metadata.PackageNotFoundError):
                self.packages[distribution] = metadata.version(distribution)

    def _take_source(self, name: str) -> None:
        for path, relative in _files_of(name):
            content = path.read_bytes()
            self.source[f"{SOURCE_FOLDER}/{relative}"] = content
            if (
                len(self.source) > SOURCE_FILES_MAX
                or sum(map(len, self.source.values())) > SOURCE_BYTES_MAX
            ):
                raise InvalidArgumentError(
                    f"its own module '{name}' has more than {SOURCE_FILES_MAX} files or "
                    f"{SOURCE_BYTES_MAX // 2**20} MiB of source: put what the model needs into a "
                    f"package of its own"
                )
            for imported in _imports_of(content):
                if imported in sys.modules:
                    self.add(imported)


def _place_of(name: str) -> Path | None:
    """Return the file or folder of a module that is imported, where it has one."""
    module = sys.modules.get(name)
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return next((Path(place).resolve() for place in places if place), None)


def _is_installed(place: Path) -> bool:
    schemes = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [Path(sysconfig.get_path(scheme)).resolve() for scheme in schemes]
    return any(place.is_relative_to(folder) for folder in folders) or any(
        part in {"site-packages", "dist-packages"} for part in place.parts
    )


def _files_of(name: str) -> Iterator[tuple[Path, str]]:
    """Return the source files of a module or package, each with its path from the import's root."""
    module = sys.modules[name]
    root = name.replace(".", "/")
    folders = list(getattr(module, "__path__", []))
    if not folders:
        file = module.__file__
        if file is None or not file.endswith(".py"):
            raise InvalidArgumentError(
                f"its own module '{name}' is no Python source: install it as a package"
            )
        yield Path(file), f"{root}.py"
        return
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.py")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, f"{root}/{path.relative_to(folder).as_posix()}"


def _imports_of(source: bytes) -> Iterable[str]:
    """Return the top-level modules that a source file imports by absolute names."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
