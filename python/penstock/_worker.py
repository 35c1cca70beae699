"""One Python worker: `python -m penstock._worker PACKAGE`, with a socket to the server as stdin.

It loads the package's model, answers an example, says that it is ready, and then answers calls
until the server closes the socket. The model is code of others: whatever it prints, raises or
breaks stays in this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import platform
import queue
import signal
import socket
import sys
import threading
import traceback
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import _worker_frames as frames
from penstock._containers import Container
from penstock._model import first_line
from penstock._predicting import Predicting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _penstock import Column

Array = np.ndarray[Any, Any]

EXAMPLES_MAX = 1
CALLBACKS_WAITING_MAX = 1000  # answers
CALLBACK_ROWS_WAITING_MAX = 100_000  # of those answers together
CALLBACKS_END_S = 0.4  # within the grace that the pool gives to a worker


class Original:
    """A package's model: columns in, the columns of an answer out."""

    def __init__(self, package: Path) -> None:
        manifest = json.loads((package / "penstock.json").read_text())
        engine = next(e for e in manifest["engines"] if e["kind"] == "python")
        self.package = package
        self.options: dict[str, Any] = engine["options"]
        self.signature: dict[str, Any] = manifest["signature"]
        check_interpreter(self.options["interpreter"])
        for folder in self.options["source"]:
            sys.path.insert(0, str(package / folder))
        self.model = pickle.loads((package / engine["file"]).read_bytes())
        parts = pickle.loads((package / self.options["rows"]).read_bytes())
        self.container = Container.from_parts(parts)
        # The callbacks of the call that was answered last, if it has any.
        self.afterwards: Callable[[], None] | None = None

    def answer(self, columns: Sequence[Column], rows: int) -> list[Any]:
        """Return predictions and, where the signature has them, probabilities."""
        # Each call has rows of its own: there are models that change what they are given.
        self.afterwards = None
        predicted, probabilities, afterwards = self._ask(columns)
        checked = [self._checked(np.asarray(predicted), rows)]
        if self.signature["has_probabilities"]:
            checked.append(self._probabilities(probabilities, rows))
        self.afterwards = afterwards
        return checked

    def _ask(self, columns: Sequence[Column]) -> tuple[Any, Any, Callable[[], None] | None]:
        if isinstance(self.model, Predicting):
            return self.model.answer(self.container.rebuild(columns))
        predicted = self.model.predict(self.container.rebuild(columns))
        if not self.signature["has_probabilities"]:
            return predicted, None, None
        return predicted, self.model.predict_proba(self.container.rebuild(columns)), None

    def _probabilities(self, values: Any, rows: int) -> Array:
        array = np.asarray(values)
        classes = len(self.signature["classes"]["labels"])
        if array.shape != (rows, classes):
            raise WrongAnswerError(
                f"predict_proba returned an array of shape {array.shape} for {rows} rows; "
                f"({rows}, {classes}) was expected"
            )
        return array if array.dtype.kind == "f" else array.astype(np.float64)

    def _checked(self, values: Any, rows: int) -> Any:
        array = np.asarray(values)
        if array.ndim not in {1, 2} or len(array) != rows:
            raise WrongAnswerError(
                f"the model returned an array of shape {array.shape} for {rows} rows; one answer "
                f"a row was expected"
            )
        width = self.signature["prediction"]["width"]
        if array.size != rows * max(width, 1):
            raise WrongAnswerError(
                f"the model returned an array of shape {array.shape}; {max(width, 1)} answers a "
                f"row were expected"
            )
        return array if array.dtype.kind in "biuf" else self._plain(array)

    def _plain(self, array: Array) -> Any:
        """Return objects and texts as what the signature says they are."""
        if self.signature["prediction"]["type"] == "string":
            return [str(text) for text in array.tolist()]
        kinds = {"int64": np.int64, "bool": np.bool_}
        return array.astype(kinds.get(self.signature["prediction"]["type"], np.float64))

    def warm_up(self) -> None:
        """Answer an example: the first call loads what the model imports late."""
        examples = json.loads((self.package / "examples.json").read_text())["features"]
        if not examples:
            return
        rows = examples[:EXAMPLES_MAX]
        columns = [
            _column([row[column["name"]] for row in rows], column["type"])
            for column in self.signature["inputs"]
        ]
        self.answer(columns, len(rows))
        self.afterwards = None  # nobody asked


class WrongAnswerError(Exception):
    """What the model returned has not the shape that its signature says."""


def _column(values: list[Any], type_name: str) -> Column:
    if type_name == "string":
        return values
    is_whole = None not in values
    if type_name == "bool":
        return np.array(values, dtype=bool) if is_whole else values
    if type_name == "int64" and is_whole:
        return np.array(values, dtype=np.int64)
    dtype = np.float32 if type_name == "float32" else np.float64
    return np.array([np.nan if value is None else value for value in values], dtype=dtype)


class Callbacks:
    """Runs the callbacks of answered calls one after the other, while others are answered."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[[], None], int] | None]
        self._waiting = queue.SimpleQueue()
        self._answers = self._rows = 0  # that wait, or whose callbacks run
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, callback: Callable[[], None] | None, rows: int) -> None:
        """Take what is to be called, if anything; what finds no room is dropped, and told."""
        if callback is None:
            return
        with self._lock:
            has_room = self._answers < CALLBACKS_WAITING_MAX and (
                not self._answers or self._rows + rows <= CALLBACK_ROWS_WAITING_MAX
            )
            if has_room:
                self._answers += 1
                self._rows += rows
        if not has_room:
            _tell(
                f"the callbacks of an answer of {rows:,} rows were dropped: {self._answers:,} "
                f"answers of {self._rows:,} rows wait for theirs"
            )
            return
        if self._thread is None:
            # A daemon: one that hangs must not hold up the end.
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._waiting.put((callback, rows))

    def finish(self) -> None:
        """Let those that were taken run for as long as the server gives, and tell of the others."""
        if self._thread is None:
            return
        self._waiting.put(None)
        self._thread.join(CALLBACKS_END_S)
        if self._answers:
            _tell(f"the end came before the callbacks of {self._answers:,} answers had run")

    def _run(self) -> None:
        while (taken := self._waiting.get()) is not None:
            callback, rows = taken
            with contextlib.suppress(BaseException):  # SystemExit too: the answer was given
                callback()
            with self._lock:
                self._answers -= 1
                self._rows -= rows


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check_interpreter(recorded: dict[str, str]) -> None:
    """Refuse another Python than the one that the object was pickled with."""
    wanted = recorded["version"].split(".")[:2]
    here = platform.python_version()
    if wanted != here.split(".")[:2] or recorded["implementation"] != sys.implementation.name:
        raise RuntimeError(
            f"the model was registered with {recorded['implementation']} {recorded['version']}, "
            f"this is {sys.implementation.name} {here}"
        )


def differing_packages(recorded: dict[str, str]) -> list[str]:
    """Tell which of the packages that the model was registered with are others here."""
    told = []
    for name, version in sorted(recorded.items()):
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            told.append(f"{name} is not installed (registered with {version})")
            continue
        if here != version:
            told.append(f"{name} is {here} (registered with {version})")
    return told


def take_channel() -> socket.socket:
    """Return the socket that is stdin, and leave nothing there that the model could read."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return channel


def told(error: BaseException) -> str:
    """Return an exception as one line: its type and what it says."""
    return f"{type(error).__name__}: {first_line(error)}"


def reply(channel: socket.socket, original: Original, call: frames.Call) -> None:
    """Answer one call: with predictions, a refusal of the model's, or a fault."""
    kind, columns = frames.ANSWER, []
    try:
        columns = original.answer(call.columns, call.rows)
    except (ValueError, TypeError) as error:
        kind, columns = frames.REFUSED, [[told(error)]]
    except WrongAnswerError as error:
        kind, columns = frames.FAILED, [[str(error)]]
    except BaseException as error:
        # SystemExit too: a model that asks for the end of the process is at fault in this call.
        traceback.print_exc()
        kind, columns = frames.FAILED, [[told(error)]]
    with contextlib.suppress(OSError, ValueError):  # streams that the model closed
        sys.stdout.flush()
        sys.stderr.flush()
    if kind == frames.ANSWER:
        frames.send(channel, kind, call, columns)
    else:
        frames.send_text(channel, kind, call, columns[0][0])


def main() -> int:
    """Run one worker."""
    channel = take_channel()
    # Its end is the socket's: a signal to the whole group must not cut a call that is to finish.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    package = Path(sys.argv[1])
    try:
        original = Original(package)
        original.warm_up()
    except BaseException as error:
        traceback.print_exc()
        sys.stderr.flush()
        frames.send_text(channel, frames.FAILED, None, _why_not_loaded(package, error))
        return 1
    differing = differing_packages(original.options["packages"])
    about = "; ".join([f"{sys.implementation.name} {platform.python_version()}", *differing])
    frames.send_text(channel, frames.READY, None, about)
    callbacks = Callbacks()
    while (call := frames.receive(channel)) is not None:
        reply(channel, original, call)
        callbacks.add(original.afterwards, call.rows)
        original.afterwards = None
    callbacks.finish()
    return 0


def _why_not_loaded(package: Path, error: BaseException) -> str:
    text = told(error)
    try:
        manifest = json.loads((package / "penstock.json").read_text())
        engine = next(e for e in manifest["engines"] if e["kind"] == "python")
        differing = differing_packages(engine["options"]["packages"])
    except Exception:
        return text
    return "; ".join([text, *differing])


if __name__ == "__main__":
    sys.exit(main())
