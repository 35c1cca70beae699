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
SECRET = "***"
_SECRET = re.compile(r"password|passwd|secret|token|credential|(^|_)key$", re.IGNORECASE)
_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^\s]*@")  # of a URI, which must not be kept


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
        self._keep(lambda run: run.note("data", json.dumps(_plain(data))))

    def report(self, step: int | None, metrics: Mapping[str, float]) -> None:
        """Keep metrics of a step; None: the next."""
        self._reports += 1
        at = self._reports if step is None else step
        self._keep(lambda run: run.report(at, json.dumps(_plain(metrics))))
        now = time.monotonic()
        if now - self._told_at >= 1:  # a line a second is as much as anyone reads
            self._told_at = now
            told = "  ".join(f"{name} {value:.6g}" for name, value in metrics.items())
            self.tell(f"step {at}  {told}")

    def end(self, status: str, reason: str = "", trace: str = "") -> None:
        """Write how it ended."""
        told = json.dumps(_plain(self.metrics))
        self._keep(lambda run: run.end(status, told, reason, trace))

    def _keep(self, write: Callable[[_penstock.Run], None]) -> None:
        """Write to the run, if there is one; a registry that fails does not cost the training."""
        if self._run is None:
            return
        try:
            write(self._run)
        except PenstockError as error:
            _log.warning("the run %s is not recorded whole: %s", self.id, error)


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
    recording.end("stopped" if is_stop else "failed", _masked(reason), _masked(trace))


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
        return {
            str(key): SECRET if _SECRET.search(str(key)) else _plain(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return _masked(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Real):
        return _plain_number(value)
    return type(value).__name__  # its text may hold rows


def _masked(text: str) -> str:
    """Return a text without the passwords of URIs and the values of name=value secrets."""
    name, equals, _ = text.partition("=")
    if equals and _SECRET.search(name) and name.isidentifier():
        return f"{name}={SECRET}"
    return _PASSWORD.sub(rf"\1{SECRET}@", text)


def _plain_number(value: numbers.Real) -> Any:
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else str(number)
