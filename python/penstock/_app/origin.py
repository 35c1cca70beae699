"""Where a trained model came from: code, data, git, environment."""

from __future__ import annotations

import functools
import hashlib
import inspect
import pickle
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

GIT_SECONDS_MAX = 5
PICKLED_BYTES_MAX = 64 << 20
COPIED_BYTES_MAX = 1 << 20  # of an array whose rows do not lie in order
CHANGED_MAX = 20  # files that git names


def code_of(functions: Iterable[Callable[..., Any]]) -> dict[str, Any]:
    """Return the digest of each source file that functions stand in, and one of them all.

    Files of installed packages are left out: the environment tells their versions. A file has its
    path in the app's folder, which modules are imported from. A function without a file, as in a
    notebook, counts with its own source.
    """
    found: dict[str, str] = {}
    names: dict[str, Path] = {}
    for function in functions:
        path = _source_file(function)
        if path is not None:
            name = _name_in_app(function, path, names)
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif source := _source_text(function):
            name = getattr(function, "__qualname__", type(function).__name__)
            found[name] = hashlib.sha256(source.encode()).hexdigest()
    whole = hashlib.sha256()
    for name, digest in sorted(found.items()):
        whole.update(f"{name}\0{digest}\0".encode())
    return {"digest": whole.hexdigest() if found else None, "parts": dict(sorted(found.items()))}


def _source_file(function: Callable[..., Any]) -> Path | None:
    try:
        path = Path(inspect.getsourcefile(inspect.unwrap(function)) or "")
    except (TypeError, OSError):  # built in, or of a notebook
        return None
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
    if not path.is_file() or any(path.is_relative_to(folder) for folder in installed):
        return None
    return path


def _name_in_app(function: Callable[..., Any], path: Path, names: dict[str, Path]) -> str:
    """Return the path of a module's file from where it was imported, the same on every machine.

    Files that were loaded one by one may have the same: those are told apart by their folders.
    """
    module = getattr(inspect.unwrap(function), "__module__", None) or ""
    shortest = len(module.split(".")) + (path.name == "__init__.py")
    for count in range(shortest, len(path.parts)):
        name = "/".join(path.parts[-count:])
        if names.setdefault(name, path) == path:
            return name
    return str(path)


def _source_text(function: Callable[..., Any]) -> str | None:
    if getattr(function, "__module__", None) != "__main__":
        return None
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return None


def data_of(raw: Any) -> dict[str, Any]:
    """Return what tells one state of the data from another: kind, rows, columns and a digest.

    The digest is SHA-256 over names, types and values in their order; None where the values have
    no bytes to compare.
    """
    told: dict[str, Any] = {"kind": type(raw).__name__}
    shape = getattr(raw, "shape", None)
    if isinstance(shape, tuple) and shape and all(isinstance(n, int) for n in shape):
        told["rows"] = shape[0]
        if len(shape) > 1:
            told["columns"] = shape[1]
    try:
        if "rows" not in told and hasattr(raw, "__len__"):
            told["rows"] = len(raw)
        told["digest"] = _digest(raw)
    except Exception:
        told["digest"] = None
    return told


def _digest(raw: Any) -> str | None:
    import numpy as np
    import pandas as pd

    digest = hashlib.sha256()
    if isinstance(raw, pd.DataFrame):
        digest.update(repr([(str(n), str(t)) for n, t in raw.dtypes.items()]).encode())
        _add(digest, pd.util.hash_pandas_object(raw, index=False).to_numpy())
    elif isinstance(raw, np.ndarray) and not raw.dtype.hasobject:
        digest.update(f"{raw.dtype.str} {raw.shape}".encode())
        _add(digest, raw)
    elif isinstance(raw, list | tuple | dict | str | bytes):
        try:
            pickle.Pickler(_Pickled(digest), protocol=5).dump(raw)
        except _TooLargeError:
            return None
    else:
        return None
    return digest.hexdigest()


def _add(digest: hashlib._Hash, values: np.ndarray[Any, Any]) -> None:
    """Add an array's bytes in the order of its rows, with a copy of a few rows at most."""
    import numpy as np

    if values.size == 0:
        return
    values = values.reshape(1) if values.ndim == 0 else values
    step = max(1, len(values) * COPIED_BYTES_MAX // values.nbytes)
    for begin in range(0, len(values), step):
        rows = np.ascontiguousarray(values[begin : begin + step])
        digest.update(rows.reshape(-1).view(np.uint8).data)


class _TooLargeError(Exception):
    """What is pickled has more bytes than are looked at."""


class _Pickled:
    """A file that keeps the digest of what is written to it, up to a size."""

    def __init__(self, digest: hashlib._Hash) -> None:
        self._digest = digest
        self._size = 0

    def write(self, written: Any) -> int:
        """Take bytes, or any buffer of them."""
        size = memoryview(written).nbytes
        self._size += size
        if self._size > PICKLED_BYTES_MAX:
            raise _TooLargeError
        self._digest.update(written)
        return size


def git_of(folder: Path) -> dict[str, Any] | None:
    """Return the commit that is checked out in a folder and what differs from it, or None."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    files = [line[3:] for line in changed.splitlines()]
    return {"commit": commit.strip(), "is_clean": not files, "changed": files[:CHANGED_MAX]}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS_MAX,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def environment_of(functions: Iterable[Callable[..., Any]]) -> dict[str, Any]:
    """Return the versions of Python and of the installed packages that functions use."""
    names = {"numpy", "pandas", "sklearn", "penstock"}
    for function in functions:
        names.add((getattr(function, "__module__", None) or "").split(".")[0])
        for value in list(getattr(inspect.unwrap(function), "__globals__", {}).values()):
            name = _module_of(value)
            if isinstance(name, str):
                names.add(name.split(".")[0])
    loaded = sorted(name for name in names if name in sys.modules)
    distributions = _distributions()
    packages = {d: _version(d) for name in loaded for d in distributions.get(name, [])}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name, version in sorted(packages.items()) if version},
    }


def _module_of(value: Any) -> Any:
    try:
        return value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
    except Exception:  # there are objects that must not be touched outside of their context
        return None


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in metadata.packages_distributions().items()}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
