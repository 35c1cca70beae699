"""A running service: penstock-server in a process of its own."""

from __future__ import annotations

import atexit
import collections
import contextlib
import html
import json
import logging
import os
import selectors
import subprocess
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from _penstock import DeadlineExceededError, FailedPreconditionError, binary_dir
from penstock._cells import Cell, cell
from penstock._html import Listing, link

READY_S_MAX = 60.0
STOP_S_MAX = 30.0
STDERR_LINES_MAX = 200

_log = logging.getLogger("penstock")
_pipes: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()
_started: list[Service] = []


def _let_go() -> None:
    """Close, in a fork of this process, what tells servers that this process is there."""
    for pipe in list(_pipes):
        pipe.close()


os.register_at_fork(after_in_child=_let_go)


class Service:
    """A handle on a running server. Made by ``ModelVersion.serve``.

    The server ends with ``stop``, at the end of a ``with`` block, or when this process ends,
    however it ends. Safe to use from several threads.

    Attributes
    ----------
    url
        Where it answers, as in ``http://127.0.0.1:8000``.
    admin_url
        Where its metrics are.

    Examples
    --------
    >>> with penstock.load("churn").serve() as service:
    ...     service.is_running
    True
    >>> service.is_running
    False
    """

    def __init__(
        self, process: subprocess.Popen[bytes], spec: str, url: str, admin_url: str
    ) -> None:
        self.url = url
        self.admin_url = admin_url
        self._process = process
        self._spec = spec
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._cell = cell()
        # The registration keeps a service whose handle is dropped, as in a notebook's cell.
        atexit.register(self.stop)
        _started.append(self)

    @property
    def is_running(self) -> bool:
        """Tell whether the server's process is there."""
        return self._process.poll() is None

    def stop(self) -> bool:
        """Let the server finish what it has begun, and end it. Does nothing the second time.

        Returns
        -------
        bool
            Whether the server ended by itself and without an error. False too in a fork of the
            process that started it, which leaves the server alone.
        """
        atexit.unregister(self.stop)
        with contextlib.suppress(ValueError):
            _started.remove(self)
        if os.getpid() != self._owner:
            return False
        with self._lock:
            return _end(self._process, STOP_S_MAX)

    def __enter__(self) -> Service:  # noqa: PYI034
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        if self.is_running:
            return f"{self._spec} on {self.url} (try it: {self.url}/docs)"
        return f"{self._spec}, stopped (was on {self.url})"

    def _repr_html_(self) -> str:
        """Return it as a notebook shows it: with addresses to click on while it runs."""
        if not self.is_running:
            return f"<p>{html.escape(repr(self))}</p>"
        docs = "try it", f"{self.url}/docs"
        contract = "contract", f"{self.url}/openapi.json"
        places = [docs, contract, ("metrics", f"{self.admin_url}/metrics")]
        told = "".join(f"<li>{name}: {link(url)}</li>" for name, url in places)
        return f"<p>{html.escape(self._spec)}</p><ul>{told}</ul>"

    def _cells(self) -> dict[str, str]:
        return {"version": self._spec, "url": self.url, "metrics": f"{self.admin_url}/metrics"}


def services() -> Listing[Service]:
    """Return the services that this process started and that run, the oldest first.

    Examples
    --------
    >>> service = penstock.load("churn").serve()
    >>> service in penstock.services()
    True
    >>> service.stop()
    True
    """
    return Listing(
        each for each in list(_started) if each._owner == os.getpid() and each.is_running
    )


def _end_those_of(here: Cell) -> None:
    """End the services of a cell that is run again: their handles are lost with it."""
    for each in services():
        if each._cell is not None and here.runs_again(each._cell):
            _log.warning("the cell is run again: %s on %s is stopped", each._spec, each.url)
            each.stop()


def _tell_others(started: Service) -> None:
    """Tell of services of the same model that go on."""
    name = started._spec.partition("@")[0]
    for place, each in enumerate(services()):
        if each is not started and each._spec.partition("@")[0] == name:
            _log.warning(
                "%s still answers on %s too; penstock.services()[%d].stop() ends it",
                each._spec,
                each.url,
                place,
            )


def start_service(path: str, spec: str, flags: Sequence[str]) -> Service:
    """Start a server for a package and return when it is ready.

    Parameters
    ----------
    path
        The unpacked package.
    spec
        The name under which it answers: ``churn@3``.
    flags
        Of the server.

    Raises
    ------
    FailedPreconditionError
        The server ended, or this machine cannot run the model; the message is its own.
    DeadlineExceededError
        It was not ready in time, and was ended.
    """
    here = cell()
    if here is not None:
        _end_those_of(here)
    command = [str(Path(binary_dir) / "penstock-server"), path, "--as", spec, *flags]
    # No load balancer needs a notice that the port is about to close.
    command += ["--drain-notice-ms", "0", "--announce", "json", "--until-eof", "0"]
    # The pipe closes with this process, however it ends; then the server drains and ends. A session
    # of its own: Ctrl-C in a terminal or a notebook is this process's to handle.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    _pipes.add(process.stdin)
    told: collections.deque[str] = collections.deque(maxlen=STDERR_LINES_MAX)
    reader = threading.Thread(target=_drain, args=(process.stderr, told), daemon=True)
    reader.start()
    try:
        announced = _first_line(process.stdout, READY_S_MAX)
    except BaseException:
        _end(process, 0)
        raise
    if announced is None:
        _end(process, 0)
        raise DeadlineExceededError(
            f"penstock-server was not ready for {spec} within {READY_S_MAX:.0f} s: {_last(told)}"
        )
    if not announced:
        process.wait()
        reader.join()
        raise FailedPreconditionError(_last(told))
    ready: dict[str, Any] = json.loads(announced)
    if "not_ready" in ready:
        _end(process, 0)
        raise FailedPreconditionError(ready["not_ready"])
    service = Service(process, spec, ready["url"], ready["admin_url"])
    if here is not None:
        _tell_others(service)
    return service


def _drain(stream: IO[bytes], told: collections.deque[str]) -> None:
    for line in stream:
        told.append(line.decode(errors="replace").rstrip())
    stream.close()


def _first_line(stream: IO[bytes], seconds_max: float) -> bytes | None:
    """Return the first line, nothing where the stream ended first, None where time ran out."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(seconds_max) else None


def _last(told: collections.deque[str]) -> str:
    sentence = told[-1] if told else "penstock-server ended without a word"
    return sentence.removeprefix("penstock-server: ")


def _end(process: subprocess.Popen[bytes], seconds_max: float) -> bool:
    """End a process, by force where it takes too long; tell whether it ended well by itself."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return process.returncode == 0
