"""Recording a training as a run of the registry, from its beginning to its end."""

from __future__ import annotations

import json
import logging
import math
import numbers
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import _penstock
from _penstock import InvalidArgumentError, PenstockError
from penstock._app.origin import code_of, data_of, environment_of, git_of
from penstock._model import first_line

_log = logging.getLogger("penstock")
TEXT_MAX = 200  # of what JSON cannot say
_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]*@")  # of a URI, which must not be kept


class Recording:
    """A training that goes on.

    Attributes
    ----------
    id
        Of the run; None where the registry could not be written: the training goes on.
    metrics
        What the evaluator returned, by split; set before the end.
    """

    def __init__(self, run: _penstock.Run | None, told: Callable[[str], None] | None) -> None:
        self._run = run
        self._told = told
        self._reports = 0
        self._told_at = -math.inf
        self.id = run.id if run else None
        self.metrics: dict[str, Any] = {}

    def tell(self, text: str) -> None:
        """Say how far the training is, to whoever watches."""
        if self._told is not None:
            self._told(text)

    def read(self, raw: Any, seconds: float) -> None:
        """Note what the reader returned."""
        data = data_of(raw)
        rows = f"{data['rows']:,} rows" if "rows" in data else f"a {data['kind']}"
        self.tell(f"read {rows} in {seconds:.1f} s")
        if self._run is not None:
            self._run.note("data", json.dumps(data))

    def report(self, step: int | None, metrics: Mapping[str, float]) -> None:
        """Keep metrics of a step; None: the next."""
        self._reports += 1
        at = self._reports if step is None else step
        if self._run is not None:
            self._run.report(at, json.dumps(metrics))
        now = time.monotonic()
        if now - self._told_at >= 1:  # a line a second is as much as anyone reads
            self._told_at = now
            told = "  ".join(f"{name} {value:.6g}" for name, value in metrics.items())
            self.tell(f"step {at}  {told}")

    def end(self, status: str, reason: str = "", trace: str = "") -> None:
        """Write how it ended."""
        if self._run is not None:
            self._run.end(status, json.dumps(_plain(self.metrics)), reason, trace)


_current: ContextVar[Recording | None] = ContextVar("penstock_recording", default=None)
_watcher: ContextVar[Callable[[str], None] | None] = ContextVar("penstock_watcher", default=None)


@contextmanager
def watched(tell: Callable[[str], None]) -> Iterator[None]:
    """Have trainings say how far they are."""
    token = _watcher.set(tell)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextmanager
def recorded(
    model: str,
    hyperparameters: Mapping[str, Any],
    functions: list[Callable[..., Any]],
    arguments: Mapping[str, Any],
) -> Iterator[Recording]:
    """Record what is done within as a run.

    What is raised passes through, after the run was marked: "stopped" by Ctrl-C or an exit, else
    "failed" with the reason and the traceback.

    Parameters
    ----------
    model
        Name of the model.
    hyperparameters
        Those of this training.
    functions
        The user's, whose source and packages are noted.
    arguments
        Those of the steps: of reader, splitter, trainer.
    """
    origin = {
        "command": _plain(sys.argv),
        "arguments": _plain(arguments),
        "code": code_of(functions),
        "git": git_of(Path.cwd()),
        "environment": environment_of(functions),
    }
    recording = Recording(_begun(model, hyperparameters, origin), _watcher.get())
    token = _current.set(recording)
    try:
        yield recording
    except BaseException as error:
        _end_badly(recording, error)
        raise
    else:
        recording.end("finished")
    finally:
        _current.reset(token)


def _begun(
    model: str, hyperparameters: Mapping[str, Any], origin: Mapping[str, Any]
) -> _penstock.Run | None:
    """Return the new run; None where there is no place for it, for a training is worth more."""
    try:
        return _penstock.begin_run(
            model=model,
            home=None,
            hyperparameters_json=json.dumps(_plain(hyperparameters)),
            origin_json=json.dumps(origin),
        )
    except InvalidArgumentError:
        raise
    except PenstockError as error:
        _log.warning("this training is not recorded: %s", error)
        return None


def _end_badly(recording: Recording, error: BaseException) -> None:
    is_stop = isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
    kind = type(error).__name__
    reason = "interrupted" if is_stop else f"{kind}: {first_line(error)}"
    trace = "" if is_stop else "".join(traceback.format_exception(error))
    try:
        recording.end("stopped" if is_stop else "failed", reason, trace)
    except PenstockError as failure:
        # What went wrong first is what the user must see.
        _log.warning("the end of this training is not recorded: %s", failure)


def report(
    metrics: Mapping[str, float] | None = None, /, *, step: int | None = None, **named: float
) -> None:
    """Report metrics of a step from within a trainer: they are kept with the run.

    Outside of a training it does nothing, so that a trainer can be called alone.

    Parameters
    ----------
    metrics, **named
        Numbers by name.
    step
        The trainer's own count: an epoch, a round; None: one more than the last.

    Raises
    ------
    InvalidArgumentError
        A value is no number.

    Examples
    --------
    >>> penstock.report(loss=0.25, step=3)
    """
    given = {**(metrics or {}), **named}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise InvalidArgumentError(
                f"report was given '{name}' as {value!r}; a number was expected"
            )
    recording = _current.get()
    if recording is not None:
        recording.report(step, {name: float(value) for name, value in given.items()})


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: what JSON cannot say becomes its text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1***@", value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Real):
        return _plain_number(value)
    return repr(value)[:TEXT_MAX]


def _plain_number(value: numbers.Real) -> Any:
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else str(number)
