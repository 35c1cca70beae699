"""Pickling a model; what a script or a notebook defines by value, with what that takes along."""

from __future__ import annotations

import ast
import dis
import inspect
import io
import itertools
import linecache
import pickle
import pickletools
import sys
import textwrap
import types
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from _penstock import InvalidArgumentError
from penstock._checks import article
from penstock._contents import mebibytes
from penstock._model import first_line
from penstock._secrets import (
    PARDON,
    TEXT_CHARACTERS_MAX,
    secret_of,
    secrets_in,
    tokens_in,
)

if TYPE_CHECKING:
    from penstock._contents import Contents

PICKLE = "model.pickle"

# What is pickled by reference, or function by function, and has no size of its own.
_NO_VARIABLES = (
    types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type, staticmethod,
    classmethod, property, types.MemberDescriptorType, types.GetSetDescriptorType,
)  # fmt: skip


VALUES_MAX = 1000  # of a dictionary or a list that are looked at


@dataclass
class Captured:
    """A pickled model, and what was pickled by value in it.

    Attributes
    ----------
    content
        The pickle.
    modules
        That functions import when they run, by the names that stand in them.
    sources
        The source of what a script or a notebook defines, by qualified name.
    """

    content: bytes = b""
    modules: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)
    _pardoned: str = ""
    _looked_at: set[tuple[int, str]] = field(default_factory=set)


def captured(model: Any, contents: Contents) -> Captured:
    """Return a model pickled; what a script or a notebook defines, by value where it can be.

    Raises
    ------
    InvalidArgumentError
        It cannot be pickled, or a function takes along what is too large or looks like a secret; a
        clause.
    """
    found = Captured()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found.content = _pickled(model, found, contents)
            _check_texts(found, contents)
        except InvalidArgumentError:
            raise
        except Exception as error:
            raise InvalidArgumentError(
                f"it cannot be pickled ({type(error).__name__}: {first_line(error)})"
            ) from error
    return found


def _pickled(model: Any, found: Captured, contents: Contents) -> bytes:
    try:
        from cloudpickle import Pickler
    except ImportError:
        return pickle.dumps(model, protocol=5)
    owned = {id(model), id(getattr(model, "model", None))}

    class Watching(Pickler):  # type: ignore[misc]
        """A pickler that looks at what it takes by value before it does."""

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, types.FunctionType | type) and _is_by_value(thing):
                _look_at(thing, found, contents, owned)
            return super().reducer_override(thing)

    sink = io.BytesIO()
    Watching(sink, protocol=5).dump(model)
    return sink.getvalue()


def _check_texts(found: Captured, contents: Contents) -> None:
    """Refuse tokens in the attributes of objects: of a client that the model holds."""
    texts = (
        argument if isinstance(argument, str) else argument.decode("latin-1")
        for _, argument, _ in pickletools.genops(found.content)
        if isinstance(argument, str | bytes | bytearray)
    )
    kind = next(tokens_in(texts, found._pardoned), None)
    if kind and PICKLE not in contents.not_secret:
        raise InvalidArgumentError(
            f"an object that goes along holds what looks like {article(kind)}, which no package "
            f"takes: make it where the model runs, from the environment; if it is none, pass "
            f"contents=penstock.Contents(not_secret=['{PICKLE}'])"
        )


def _is_by_value(thing: Any) -> bool:
    """Tell whether a worker could not import a function or a class by its name."""
    name = getattr(thing, "__module__", None)
    if name == "__main__" or name not in sys.modules:
        return True
    found: Any = sys.modules[name]
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is not thing


def _look_at(thing: Any, found: Captured, contents: Contents, owned: set[int]) -> None:
    name = thing.__qualname__.replace("<locals>.", "")
    if name.rpartition(".")[0] not in found.sources:  # a method stands in its class
        _keep_source(thing, name, found, contents)
    variables: Iterable[tuple[str, Any]]
    if isinstance(thing, type):
        variables = [each for each in vars(thing).items() if not each[0].startswith("__")]
    else:
        found.modules |= set(_imports_in(thing.__code__))
        variables = _variables_of(thing)
    for variable, value in variables:
        key = (id(value), variable)
        if isinstance(value, _NO_VARIABLES) or id(value) in owned or key in found._looked_at:
            continue
        found._looked_at.add(key)
        _check_secret(name, variable, value, found, contents)
        _check_size(name, variable, value, contents, is_in_class=isinstance(thing, type))


def _keep_source(thing: Any, name: str, found: Captured, contents: Contents) -> None:
    source = _source_of(thing)
    if not source:
        return
    lines = source.splitlines(keepends=True)
    found._pardoned += "".join(line for line in lines if PARDON in line)
    for secret in secrets_in(source):
        found._pardoned += lines[secret.line - 1]
        if secret.name not in contents.not_secret:
            raise InvalidArgumentError(
                f"line {secret.line} of '{name}' holds what looks like {secret}, which no package "
                f"takes: read it from the environment where the model runs; if it is none, end "
                f"the line with '{PARDON}' in a comment"
            )
    found.sources[name] = source


def _source_of(thing: Any) -> str:
    """Return the source of a function or a class, "" where it is not known."""
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        return _source_by_methods(thing) if isinstance(thing, type) else ""


def _source_by_methods(kind: type) -> str:
    """Return the source of a class of a notebook: its methods know their cell, it does not."""
    for method in vars(kind).values():
        if not isinstance(method, types.FunctionType):
            continue
        text = "".join(linecache.getlines(method.__code__.co_filename))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                return textwrap.dedent(ast.get_source_segment(text, node) or "") + "\n"
    return ""


def _check_secret(
    function: str, variable: str, value: Any, found: Captured, contents: Contents
) -> None:
    texts = list(_texts_in(variable, value))
    kind = next((kind for name, text in texts if (kind := secret_of(name, text))), None)
    if kind is None:
        return
    if variable in contents.not_secret:
        found._pardoned += "\n".join(text for _, text in texts)
        return
    raise InvalidArgumentError(
        f"'{function}' takes the variable '{variable}' along, which holds what looks like "
        f"{article(kind)}, and no package takes that: read it from the environment where the "
        f"model runs; if it is none, pass contents=penstock.Contents(not_secret=['{variable}'])"
    )


def _texts_in(name: str, value: Any, depth: int = 2) -> Iterator[tuple[str, str]]:
    """Return the texts of a value with their names: those of keys in dictionaries."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, bytes | bytearray):
        yield name, value[:TEXT_CHARACTERS_MAX].decode("latin-1")
    elif depth and isinstance(value, Mapping):
        for key, each in itertools.islice(value.items(), VALUES_MAX):
            yield from _texts_in(str(key), each, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for each in itertools.islice(value, VALUES_MAX):
            yield from _texts_in(name, each, depth - 1)


def _check_size(
    function: str, variable: str, value: Any, contents: Contents, *, is_in_class: bool
) -> None:
    told = f"'{function}' takes the variable '{variable}' along, {article(type(value).__name__)}"
    try:
        is_small = _fits(value, contents.bytes_max)
    except Exception as error:
        if is_in_class:  # what Python keeps in a class for itself is not pickled with it
            return
        raise InvalidArgumentError(
            f"{told}, which cannot be pickled ({type(error).__name__}: {first_line(error)}): make "
            f"it within the function"
        ) from error
    if not is_small:
        raise InvalidArgumentError(
            f"{told} of {_size_of(value, contents.bytes_max)}; {mebibytes(contents.bytes_max)} is "
            f"the limit: keep only what the function needs of it in a variable, or pass "
            f"contents=penstock.Contents(mb_max=...)"
        )


class _FullError(Exception):
    """More was written than there is room for."""


class _Sink(io.RawIOBase):
    """Counts what is written, keeps nothing, and stops at a limit."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__()
        self._left = bytes_max

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            raise _FullError
        return size


def _fits(value: Any, bytes_max: int) -> bool:
    """Tell whether a value has no more bytes than a limit when it is pickled."""
    known = _known_size(value)
    if known is not None and known > bytes_max:
        return False
    from cloudpickle import Pickler

    try:
        Pickler(_Sink(bytes_max), protocol=5).dump(value)
    except _FullError:
        return False
    return True


def _known_size(value: Any) -> int | None:
    """Return the size that an array or a table tells of itself."""
    try:
        if hasattr(value, "memory_usage"):
            used = value.memory_usage(index=False)
            return int(used if isinstance(used, int) else used.sum())
        if hasattr(value, "estimated_size"):
            return int(value.estimated_size())
        return int(value.nbytes)
    except Exception:  # any attribute may raise in an object of anyone's
        return None


def _size_of(value: Any, bytes_max: int) -> str:
    known = _known_size(value)
    is_told = known is not None and known > bytes_max
    return mebibytes(known) if known and is_told else f"more than {mebibytes(bytes_max)}"


def _variables_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Return what a function takes along: globals that it reads, closures, defaults."""
    for name in sorted(_names_in(function.__code__)):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    yield from zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _names_in(code: types.CodeType) -> set[str]:
    """Return the globals that code reads, that of its inner functions too."""
    return {
        step.argval
        for each in _codes(code)
        for step in dis.get_instructions(each)
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
    }


def _imports_in(code: types.CodeType) -> Iterator[str]:
    """Return the modules that code imports when it runs."""
    for each in _codes(code):
        for step in dis.get_instructions(each):
            if step.opname == "IMPORT_NAME":
                yield step.argval
