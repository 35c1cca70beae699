"""Packages that only some calls import, and what to do where one is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from _penstock import FailedPreconditionError

# What pip calls a module's package, and the extra of Penstock's that brings it (pyproject.toml).
_PACKAGES = {
    "cloudpickle": ("cloudpickle", "sklearn"),
    "fastapi": ("fastapi", "fastapi"),
    "joblib": ("joblib", "sklearn"),
    "lightgbm": ("lightgbm", "lightgbm"),
    "onnx": ("onnx", "sklearn"),
    "pandas": ("pandas", "pandas"),
    "polars": ("polars", "polars"),
    "pyarrow": ("pyarrow", "pandas"),
    "skl2onnx": ("skl2onnx", "sklearn"),
    "sklearn": ("scikit-learn", "sklearn"),
    "xgboost": ("xgboost", "xgboost"),
}
# Those that no extra brings: users of them have a build of their own.
_PLAIN = {"keras", "torch"}


class MissingPackageError(ModuleNotFoundError, FailedPreconditionError):
    """A package that a call needs is not installed; ``name`` is the module."""


@contextlib.contextmanager
def needed_for(purpose: str, otherwise: str = "") -> Iterator[None]:
    """Say what to install when an import fails; around imports alone.

    Parameters
    ----------
    purpose
        What needs the package: "penstock.register".
    otherwise
        What can be done without it, after "; ".

    Raises
    ------
    MissingPackageError
        One sentence that names the package and the extra.
    ModuleNotFoundError
        A module that is none of the table's is missing, as one of the package's own may be.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        told = missing(error)
        if not told:
            raise
        rest = f"; {otherwise}" if otherwise else ""
        raise MissingPackageError(f"{purpose} needs {told}{rest}", name=error.name) from None


def missing(error: BaseException) -> str:
    """Return which package a failed import misses and how to get it, as a clause; else ""."""
    module = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError):
        return ""
    if module in _PLAIN:
        return f"{module}, which is not installed: pip install {module}"
    if module not in _PACKAGES:
        return ""
    package, extra = _PACKAGES[module]
    return f"{package}, which is not installed: pip install 'penstock[{extra}]'"
