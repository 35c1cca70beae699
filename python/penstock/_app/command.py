"""``penstock train``: from an app's name to a registered version."""

from __future__ import annotations

import json
import os
import signal
import sys
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _penstock import CancelledError, InvalidArgumentError, PenstockError, UnknownError
from penstock._app.loading import load_model
from penstock._app.recording import watched
from penstock._model import first_line

if TYPE_CHECKING:
    from penstock._app.model import Model
    from penstock._version import ModelVersion

SETTINGS = "penstock.toml"
SECTION = "hyperparameters"


def train(
    app: str,
    *,
    set: Sequence[str] = (),
    param: Sequence[str] = (),
    split: Sequence[str] = (),
    trainer: Sequence[str] = (),
    name: str = "",
    registers: bool = True,
) -> tuple[Model, ModelVersion | None]:
    """Train a model of an app and register it; say on standard error how far it is.

    Parameters
    ----------
    app
        ``module:variable``.
    set, param, split, trainer
        Hyperparameters, and arguments of reader, splitter and trainer, each "name=value".
    name
        To register under; "": the model's.
    registers
        False: train and evaluate only.

    Raises
    ------
    PenstockError
        With one sentence. What the user's functions raise is printed with its traceback first. The
        run is marked in each case, and nothing was registered.
    """
    model = load_model(app)
    if registers:
        model.check_is_servable()
    arguments = arguments_of(model, set=set, param=param, split=split, trainer=trainer)
    told = model.name
    marked = "{} in penstock runs list, and nothing was registered"
    with terminable(), watched(tell):
        with _stoppable(
            f"the training of '{told}'",
            stopped=f"the training of '{told}' is marked {marked.format('stopped')}",
            failed=f"the run is marked {marked.format('failed')}",
        ):
            model.train(**arguments)
        if not registers:
            return model, None
        finished = f"its training is finished, as run {model.run} in penstock runs list"
        with _stoppable(
            f"the registration of '{told}'",
            # A stop may come just after the version was made.
            stopped=f"'{told}' was being registered, which penstock models list tells the end of; "
            f"{finished}",
            failed=f"nothing was registered; {finished}",
        ):
            return model, model.register(name=name or None)


def arguments_of(
    model: Model,
    *,
    set: Sequence[str],
    param: Sequence[str],
    split: Sequence[str],
    trainer: Sequence[str],
) -> dict[str, Any]:
    """Return what ``Model.train`` is called with, from the command line and penstock.toml."""
    hyperparameters = _from_settings(model.name) | _values(set, "--set", model.text_names)
    return {
        "hyperparameters": hyperparameters or None,
        "splitter_kwargs": _values(split, "--split"),
        "trainer_kwargs": _values(trainer, "--trainer"),
        **_values(param, "--param"),
    }


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end as an exit does, so that what is open is closed."""
    before = signal.signal(signal.SIGTERM, _raise_exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _stoppable(doing: str, *, stopped: str, failed: str) -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and exceptions of the user's code into one sentence."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        by = "Ctrl-C" if isinstance(stop, KeyboardInterrupt) else "an exit"
        raise CancelledError(f"stopped by {by}: {stopped}") from None
    except PenstockError:
        raise
    except Exception as error:
        sys.stderr.write(trace_of(error))
        raise UnknownError(
            f"{doing} failed, {type(error).__name__}: {first_line(error)}; {failed}"
        ) from error


def trace_of(error: BaseException) -> str:
    """Return the traceback from where the user's code begins."""
    ours = str(Path(__file__).parent.parent)
    first = error.__traceback__
    while first is not None and first.tb_frame.f_code.co_filename.startswith(ours):
        first = first.tb_next
    return "".join(traceback.format_exception(type(error), error, first or error.__traceback__))


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Let what the user's code prints, in C too, leave standard output alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _raise_exit(number: int, frame: object) -> None:
    del frame
    raise SystemExit(128 + number)


def tell(text: str) -> None:
    """Say on standard error how far a command is."""
    print(f"penstock: {text}", file=sys.stderr, flush=True)


def _values(
    pairs: Sequence[str], flag: str, text_names: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return "name=value" pairs as values: JSON where it is JSON, else text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise InvalidArgumentError(
                f"{flag} was given '{pair}'; name=value was expected, as in C=0.5"
            )
        if name in values:
            raise InvalidArgumentError(f"{flag} was given '{name}' twice; give it once")
        values[name] = text if name in text_names else _value(text)
    return values


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _from_settings(model: str) -> dict[str, Any]:
    """Return [hyperparameters.MODEL] of the nearest penstock.toml."""
    here = Path.cwd()
    path = next((p / SETTINGS for p in (here, *here.parents) if (p / SETTINGS).is_file()), None)
    if path is None:
        return {}
    try:
        told = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidArgumentError(f"the settings '{path}' are not TOML: {error}") from error
    section = told.get(SECTION, {})
    values = section.get(model, {}) if isinstance(section, dict) else section
    if not isinstance(values, dict):
        raise InvalidArgumentError(
            f"{SECTION}.{model} in '{path}' is {values!r}; a table [{SECTION}.{model}] was expected"
        )
    return values


def summary(model: Model, version: ModelVersion | None) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    artifact = model.artifact
    told: dict[str, Any] = {"model": model.name, "run": model.run}
    told["metrics"] = artifact.metrics if artifact else None
    if version is not None:
        told |= {"name": version.name, "version": version.version, "digest": version.digest}
        told |= {"engine": version.engine, "engine_reason": version.engine_reason}
    return told
