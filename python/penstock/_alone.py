"""The Python part of a package in a new process, as a worker has it, before it is registered."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import _penstock
from _penstock import InvalidArgumentError
from penstock._checks import quoted
from penstock._model import TRIAL_ROWS_MAX, ask

if TYPE_CHECKING:
    from penstock._containers import Container

SECONDS_MAX = 300
TAIL_CHARACTERS_MAX = 300
ANSWER_FILE = "answer.pickle"
CALL_FILE = "call.pickle"
TOLERANCE = 1e-6  # of a number: other threads may add in another order
TOLERANCE_SINGLE = 1e-4

# What was there before anything of ours is the interpreter's own; what cannot be found in
# site-packages, in a checkout, is ours to bring.
BOOTSTRAP = """
import sys
bare = set(sys.modules)
from importlib.util import find_spec
if find_spec("penstock") is None or find_spec("_penstock") is None:
    sys.path += sys.argv[2:]
from penstock._alone_answers import main
main(sys.argv[1], bare)
"""


class Alone:
    """What a new process answered.

    Attributes
    ----------
    requirements
        Versions of the installed distributions that were loaded for it.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.requirements: dict[str, str] = told["requirements"]


def check_alone(
    options: Mapping[str, Any],
    files: Mapping[str, bytes],
    signature: Mapping[str, Any],
    modules: set[str],
    model: Any,
    container: Container,
) -> Alone:
    """Let a new process load the files and predict the first rows; hold its answers against ours.

    The process has an empty folder, the site-packages of this interpreter, what stands in `files`,
    and the environment that workers are given: nothing else of this process's.

    Parameters
    ----------
    options, signature
        As the manifest has them.
    files
        Of the package, the pickled model first.
    modules
        That the model needs, so that each which is missing is named.

    Raises
    ------
    InvalidArgumentError
        It could not, or the answers differ; a clause that says what is missing and what to do.
    """
    rows = range(min(TRIAL_ROWS_MAX, container.rows))
    columns = [
        values[: len(rows)] if isinstance(values, list) else np.array(values[: len(rows)])
        for values in container.to_columns(container.types())
    ]
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        folder = Path(name) / "package"
        engine = {"kind": "python", "file": next(iter(files)), "options": options}
        manifest = {"engines": [engine], "signature": signature}
        call = {"columns": columns, "rows": len(rows), "modules": sorted(modules)}
        for path, content in {
            **files,
            "penstock.json": json.dumps(manifest).encode(),
            CALL_FILE: pickle.dumps(call, protocol=5),
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        told = _run(folder, Path(name) / "empty")
    _check_loaded(told)
    _check_same(model, container, list(rows), told["answer"])
    return Alone(told)


def _run(folder: Path, empty: Path) -> dict[str, Any]:
    """Run the process and return what it told."""
    empty.mkdir()
    ours = [Path(__file__).parents[1], Path(_penstock.__file__ or "").parent]
    command = [sys.executable, "-I", "-c", BOOTSTRAP, str(folder), *map(str, ours)]
    try:
        done = subprocess.run(
            command,
            cwd=empty,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidArgumentError(
            f"a new Python process had not answered {TRIAL_ROWS_MAX} rows after {SECONDS_MAX} s, "
            f"as a worker would have to"
        ) from None
    answer = folder / ANSWER_FILE
    if done.returncode or not answer.is_file():
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        said = f": {lines[-1][:TAIL_CHARACTERS_MAX]}" if lines else ""
        raise InvalidArgumentError(
            f"the new Python process that was to load it ended with {_how(done.returncode)}{said}"
        )
    told: dict[str, Any] = pickle.loads(answer.read_bytes())
    return told


def _how(code: int) -> str:
    return f"the signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


def _environment() -> dict[str, str]:
    """Return this process's environment without what workers are not given: credentials."""
    return {
        name: value
        for name, value in os.environ.items()
        if not _penstock.is_credential(name, value)
    }


def _check_loaded(told: Mapping[str, Any]) -> None:
    missing, error, file = told["missing"], told["error"], told["file"]
    if missing:
        one = len(missing) == 1
        them = "it" if one else "them"
        raise InvalidArgumentError(
            f"a new Python process cannot import {quoted(missing)}, which it needs: put {them} "
            f"beside the app, so that {'it is' if one else 'they are'} packed, or install {them} "
            f"into this Python; a module that the code imports by a computed name is listed with "
            f"contents=penstock.Contents(include=['{missing[0].partition('.')[0]}.py'])"
        )
    cannot = f"in a new Python process it cannot {told['stage']}"
    where = told["where"]
    if file is not None:
        raise InvalidArgumentError(
            f"{cannot}, for '{file}' is not there{' for ' + where if where else ''}: open within "
            f"the reader what only training needs; what the model needs, read into a variable "
            f"that goes along, or list with "
            f"contents=penstock.Contents(include=['{Path(file).name}']) and open by its place "
            f"beside __file__"
        )
    if error is not None:
        at = f", at {where}" if where else ""
        raise InvalidArgumentError(f"{cannot}{at}: {error}")


def _check_same(model: Any, container: Container, rows: list[int], answer: list[Any]) -> None:
    """Hold predictions, and probabilities where there are any, against this process's."""
    first, second = (ask(model, lambda: container.take(rows)) for _ in range(2))
    for name, theirs in zip(("predicted", "probabilities"), answer, strict=False):
        ours, again = getattr(first, name), getattr(second, name)
        if _same(ours, theirs) or not _same(ours, again):  # of chance, there is no comparing
            continue
        pairs = list(zip(_flat(theirs).tolist(), _flat(ours).tolist(), strict=True))
        place = next(i for i, (a, b) in enumerate(pairs) if not _same([b], [a]))
        told, expected = pairs[place]
        raise InvalidArgumentError(
            f"a new Python process answers row {place * len(rows) // len(pairs)} with {told!r}, "
            f"and this one with {expected!r}: what it depends on beside X (a global variable that "
            f"changed, a file, the environment) must be part of the model"
        )


def _flat(values: Any) -> Any:
    return np.asarray(values).reshape(-1)


def _same(ours: Any, theirs: Any) -> bool:
    left, right = _flat(ours), _flat(theirs)
    if left.shape != right.shape:
        return False
    if right.dtype.kind in "biuf":
        # Numbers in an array of objects are sent as numbers.
        tolerance = TOLERANCE_SINGLE if right.dtype.name == "float32" else TOLERANCE
        plain = left.astype(np.float64) if left.dtype.kind == "O" else left
        if right.dtype.kind != "f":
            return bool(np.array_equal(plain, right))  # labels
        return bool(np.allclose(plain, right, rtol=tolerance, atol=1e-12, equal_nan=True))
    return bool(all(str(x) == str(y) for x, y in zip(left.tolist(), right.tolist(), strict=True)))
