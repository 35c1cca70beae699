"""What a pickled model imports: installed packages, and files of the user's own."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import pickletools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _penstock import InvalidArgumentError
from penstock._contents import is_installed

if TYPE_CHECKING:
    from penstock._contents import Gathered

# Of the worker itself.
OWN = {"penstock", "_penstock"}


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
    """What modules stand for: installed packages by version, and files of the user's own.

    Attributes
    ----------
    gathered
        Takes the files.
    packages
        Versions by distribution.
    modules
        All that were asked for and are not the standard library's.
    """

    gathered: Gathered
    packages: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    _distributions: Mapping[str, list[str]] = field(default_factory=metadata.packages_distributions)

    def add(self, module_name: str) -> None:
        """Take the package or the files that a module belongs to, and what those import.

        Raises
        ------
        InvalidArgumentError
            A file that must not be taken; a clause that names it.
        """
        top = module_name.partition(".")[0]
        if top in OWN or top in sys.stdlib_module_names:
            return
        name = _unit_of(module_name)
        if name in self.modules:
            return
        self.modules.add(name)
        place = _place_of(name)
        if place is not None and not is_installed(place):
            self._take_source(name)
            return
        for distribution in self._distributions.get(top, []):
            with contextlib.suppress(metadata.PackageNotFoundError):
                self.packages[distribution] = metadata.version(distribution)

    def _take_source(self, name: str) -> None:
        for relative, content in self.gathered.take_module(name, _files_of(name)).items():
            package = relative.rpartition("/")[0].replace("/", ".")
            for imported in _imports_of(content, package):
                # One that is installed and was not loaded is not used.
                place = _place_of(imported)
                if imported in sys.modules or (place and not is_installed(place)):
                    self.add(imported)


def _unit_of(name: str) -> str:
    """Return what is taken whole: a top-level module or package; within a folder that is no
    package, as test runners import from, the module or package in it.
    """
    parts = name.split(".")
    prefixes = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return next((each for each in prefixes if _file_of(each)), name)


def _file_of(name: str) -> str | None:
    module = sys.modules.get(name)
    if module is not None:
        return getattr(module, "__file__", None)
    spec = _spec_of(name)
    return spec.origin if spec is not None and spec.has_location else None


def _spec_of(name: str) -> ModuleSpec | None:
    if "." in name:  # finding it would import its parent
        return None
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(name)
    return None


def _place_of(name: str) -> Path | None:
    """Return the file or folder of a module, where it has one; nothing is imported for it."""
    places = [_file_of(name), *getattr(sys.modules.get(name), "__path__", [])]
    return next((Path(place).resolve() for place in places if place), None)


def _files_of(name: str) -> Iterator[tuple[Path, str]]:
    """Return the source files of a module or package, each with its path from the import's root."""
    root = name.replace(".", "/")
    module, file = sys.modules.get(name), _file_of(name)
    folders = list(getattr(module, "__path__", []))
    if module is None and (spec := _spec_of(name)) is not None:
        folders = list(spec.submodule_search_locations or [])
    if not folders:
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


def _imports_of(source: bytes, package: str) -> Iterable[str]:
    """Return what a file of a package imports: modules, and names in them that may be modules."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: package.count(".") + 2 - node.level]
            parts = [*(parents if node.level else []), *filter(None, [node.module])]
            base = ".".join(filter(None, parts))
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
