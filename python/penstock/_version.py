"""A registered version of a model: its answers in this process, its service."""

from __future__ import annotations

import datetime
import functools
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

import _penstock
from penstock._checks import did_you_mean, quoted
from penstock._containers import contain
from penstock._html import Listing, facts_table
from penstock._output import applied
from penstock._parity import Parity, native_form
from penstock._service import Service, start_service
from penstock._signature import labels_of

if TYPE_CHECKING:
    from os import PathLike

    from penstock._containers import Container

Array: TypeAlias = np.ndarray[Any, Any]

ENGINES = {"own": "own evaluator", "onnxruntime": "ONNX Runtime", "python": "Python workers"}


class ModelVersion:
    """A version of a model in the registry. Immutable, and safe to use from several threads.

    Printing it tells in one line what runs it, on what evidence.

    Attributes
    ----------
    name, version
        As in ``churn@3``.
    engine
        "own", "onnxruntime", or "python" where the model has no native form.
    engine_reason
        One sentence: which engine, why, what would make it native.
    digest
        SHA-256 of the package's manifest: the package's identity.
    created_at
        When it was registered, in UTC.
    parity
        The evidence.
    signature
        What it takes and gives, as ``penstock.json`` says it.
    details
        What was noted at registration: framework, versions, class of the model.
    run
        Id of the run that trained it, or None.

    Examples
    --------
    >>> version = penstock.load("churn@1")
    >>> version.engine, version.parity.differing
    ('own', 0)
    """

    def __init__(self, version: _penstock.Version, home: str | None) -> None:
        self._version = version
        self._home = home
        self._lock = threading.Lock()
        self._engine: _penstock.Predictor | None = None

    @property
    def name(self) -> str:  # noqa: D102
        return self._version.name

    @property
    def version(self) -> int:  # noqa: D102
        return self._version.version

    @property
    def engine(self) -> str:  # noqa: D102
        return self._version.engine

    @property
    def engine_reason(self) -> str:  # noqa: D102
        return self._version.engine_reason

    @property
    def digest(self) -> str:  # noqa: D102
        return self._version.digest

    @property
    def created_at(self) -> datetime.datetime:  # noqa: D102
        seconds, microseconds = divmod(self._version.created_at_us, 1_000_000)
        whole = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
        return whole.replace(microsecond=microseconds)

    @functools.cached_property
    def parity(self) -> Parity:  # noqa: D102
        return Parity.of(json.loads(self._told.parity_json))

    @functools.cached_property
    def signature(self) -> dict[str, Any]:  # noqa: D102
        signature: dict[str, Any] = json.loads(self._told.signature_json)
        return signature

    @functools.cached_property
    def examples(self) -> dict[str, Any]:
        """A few rows as a request has them, ``features``, with the original's ``predictions``."""
        told = (Path(self._unpacked.path) / "examples.json").read_text()
        examples: dict[str, Any] = json.loads(told)
        return examples

    @functools.cached_property
    def details(self) -> dict[str, Any]:  # noqa: D102
        details: dict[str, Any] = json.loads(self._version.details_json or "{}")
        return details

    @property
    def run(self) -> str | None:  # noqa: D102
        return self._version.run or None

    @property
    def _spec(self) -> str:
        return f"{self.name}@{self.version}"

    def __repr__(self) -> str:
        """Return the outcome in one line."""
        if self.engine == "python":
            return f"{self._spec}  not native: {self.engine_reason}"
        report = self.parity.report
        parts = [f"{self._spec}  native, {self.parity!r}"]
        if "accepted" in self.details:
            parts.append(f"accepted: {self.details['accepted']['because']}")
        if report["refusals"]:
            parts.append("refuses what yours refuses")
        limits = native_form(report)["limits"]
        if limits:
            parts.append(f"answers 422 beyond {len(limits)} limit{'s' * (len(limits) > 1)}")
        return f"{'; '.join(parts)}   {self._speed()} a row"

    def _repr_html_(self) -> str:
        """Return the version as a notebook shows it."""
        facts = {
            "runs in": ENGINES.get(self.engine, self.engine),
            "why": self.engine_reason if self.engine == "python" else "",
            "parity": repr(self.parity) if self.engine != "python" else "",
            "a row": self._speed() if self.engine != "python" else "",
            "model": str(self.details.get("model_class", "")),
            "features": quoted([column["name"] for column in self.signature["inputs"]]),
            "created": f"{self.created_at:%Y-%m-%d %H:%M:%S} UTC",
            "run": (self.run or "")[:8],
            "package": self.digest[:12],
        }
        return facts_table(self._spec, facts)

    def _cells(self) -> dict[str, str]:
        return {
            "version": self._spec,
            "runs in": ENGINES.get(self.engine, self.engine),
            "model": str(self.details.get("model_class", "")),
            "created": f"{self.created_at:%Y-%m-%d %H:%M:%S} UTC",
            "package": self.digest[:12],
        }

    def _speed(self) -> str:
        report = self.parity.report
        native = _microseconds(native_form(report)["row_ns"])
        return f"{_microseconds(report['original_row_ns'])} us -> {native} us"

    def predict(self, X: Any) -> Any:
        """Return what the original's predict returns for X, as the service answers it.

        With a predictor or an output: what that returns.

        Parameters
        ----------
        X
            Rows of features, shape (rows, features), in any container that ``register`` takes.
            Columns with names are found by name, others by position.

        Returns
        -------
        numpy.ndarray or list
            In the dtype and shape of the original's answer.

        Raises
        ------
        InvalidArgumentError
            X does not fit the model, or holds a value that the original refuses.
        FailedPreconditionError
            The model has no native form, and no Python here can run it.
        """
        predicted, probabilities = self._predictor().predict(self._columns(X))
        kind = self.details.get("answer_kind", "ndarray")
        if "output" in self.signature:
            values = applied(self.signature["output"], predicted, probabilities)
            return np.array(values) if kind == "ndarray" else values
        answer = self._plain(predicted)
        return answer if kind == "ndarray" else answer.tolist()

    def _plain(self, predicted: Array) -> Array:
        """Return what the model's own predict returns, of what the engine does."""
        labels = self._labels
        if labels is not None:
            return labels[predicted]
        prediction = self.signature["prediction"]
        if prediction["type"] in {"int64", "bool"}:
            predicted = np.rint(predicted).astype(np.int64)
        return predicted.astype(np.dtype(prediction["dtype"]), copy=False)

    def predict_proba(self, X: Any) -> Array:
        """Return what the original's predict_proba returns for X, as the service answers it.

        Parameters
        ----------
        X
            As for ``predict``.

        Returns
        -------
        numpy.ndarray
            Shape (rows, classes), in the order of ``signature["classes"]``.

        Raises
        ------
        FailedPreconditionError
            The original has no predict_proba.
        InvalidArgumentError
            As ``predict``.
        """
        if not self.signature["has_probabilities"]:
            raise _penstock.FailedPreconditionError(
                f"{self._spec} has no probabilities: its model has no predict_proba"
            )
        _, probabilities = self._predictor().predict(self._columns(X))
        assert probabilities is not None
        dtype = self.details.get("probabilities_dtype") or "float64"
        return probabilities.astype(dtype, copy=False)

    def serve(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        admin_port: int = 0,
        workers: int | None = None,
        python: str | PathLike[str] | None = None,
    ) -> Service:
        """Start the server for this version, in a process of its own.

        The server ends when the handle is stopped, or when this process ends, however it ends. In a
        notebook it ends too when its cell is run again; services of the same model from other cells
        go on, and are told.

        Parameters
        ----------
        port
            Of the service; 0 takes a free one.
        host
            The address to listen on.
        admin_port
            Of metrics; 0 takes a free one.
        workers
            Python processes for a version that has no native form; None: as many as CPUs may be
            used, at most 4.
        python
            The Python that they run; None: the one that the version was registered with.

        Returns
        -------
        Service
            Ready to answer. Usable in a ``with`` statement: the server ends with its block.

        Raises
        ------
        FailedPreconditionError
            The server could not start, or no Python here can run the version; the message is the
            server's own.

        Examples
        --------
        >>> with penstock.load("churn").serve() as service:
        ...     service.url.startswith("http://127.0.0.1:")
        True
        """
        flags = ["--host", host, "--port", str(port), "--admin-port", str(admin_port)]
        if workers is not None:
            flags += ["--workers", str(workers)]
        if python is not None:
            flags += ["--python", str(Path(python).expanduser())]
        return start_service(self._unpacked.path, self._spec, flags)

    @functools.cached_property
    def _labels(self) -> Array | None:
        return labels_of(self.signature)

    @property
    def _told(self) -> _penstock.Version:
        # A listing of models tells neither the signature nor the report.
        return self._version if self._version.signature_json else self._unpacked

    @functools.cached_property
    def _unpacked(self) -> _penstock.Version:
        # What registering and a listing of models give has not been unpacked.
        return (
            self._version if self._version.path else _penstock.open_version(self._spec, self._home)
        )

    def _predictor(self) -> _penstock.Predictor:
        with self._lock:
            if self._engine is None:
                self._engine = _penstock.predictor(self._unpacked.path)
            return self._engine

    def _columns(self, X: Any) -> list[_penstock.Column]:
        inputs = self.signature["inputs"]
        names = [column["name"] for column in inputs]
        container = contain(X)
        if not container.rows:
            raise _penstock.InvalidArgumentError("X has no rows; one or more were expected")
        if container.has_names and self.signature["has_column_names"]:
            container = _by_name(container, names)
        elif len(container.columns) != len(names):
            raise _penstock.InvalidArgumentError(
                f"X has {len(container.columns)} columns; {self._spec} takes {len(names)}"
            )
        return container.to_columns([column["type"] for column in inputs])


def _by_name(container: Container, names: list[str]) -> Container:
    given = dict(zip(container.names, container.columns, strict=True))
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    if missing:
        raise _penstock.InvalidArgumentError(
            f"X has no column{'s' * (len(missing) > 1)} {quoted(missing)}"
            f"{did_you_mean(missing[0], unknown)}"
        )
    if unknown:
        raise _penstock.InvalidArgumentError(
            f"X has column{'s' * (len(unknown) > 1)} {quoted(unknown)}, which the model does not "
            f"take{did_you_mean(unknown[0], names)}"
        )
    columns = tuple(given[name] for name in names)
    return type(container)(container.X, container.kind, columns, tuple(names), True)


def _microseconds(nanoseconds: int) -> str:
    microseconds = nanoseconds / 1000
    return f"{microseconds:,.0f}" if microseconds >= 2 else f"{microseconds:.1f}"


def home_folder(home: str | PathLike[str] | None) -> str | None:
    """Return the folder that a caller names as home; no shell has expanded its "~"."""
    return None if home is None else str(Path(home).expanduser())


def load(spec: str, *, home: str | PathLike[str] | None = None) -> ModelVersion:
    """Return a registered version.

    Parameters
    ----------
    spec
        ``churn@3``, or ``churn`` for the newest.
    home
        The folder that holds the registry, as for ``register``.

    Raises
    ------
    NotFoundError
        There is no such model or version.
    DataLossError
        A file of the package was changed.

    Examples
    --------
    >>> penstock.load("churn@1").predict(X.head(3))
    array(['no', 'yes', 'no'], dtype=object)
    """
    folder = home_folder(home)
    return ModelVersion(_penstock.open_version(spec, folder), folder)


def models(*, home: str | PathLike[str] | None = None) -> Listing[ModelVersion]:
    """Return the newest version of every model, by name.

    Parameters
    ----------
    home
        The folder that holds the registry, as for ``register``.

    Examples
    --------
    >>> [newest.name for newest in penstock.models()]
    ['churn']
    """
    folder = home_folder(home)
    return Listing(ModelVersion(newest, folder) for newest in _penstock.models(folder))
