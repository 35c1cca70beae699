"""``penstock check``: what a change to an app does to its service, before anybody gets it."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _penstock import NotFoundError, PenstockError, UnknownError
from penstock._app import command
from penstock._app.loading import load_model
from penstock._app.recording import watched
from penstock._checks import quoted
from penstock._model import first_line
from penstock._runs import runs
from penstock._version import load

if TYPE_CHECKING:
    from penstock._app.model import Model
    from penstock._service import Service
    from penstock._version import ModelVersion

WORST_ROWS_SHOWN = 3
SECONDS_MAX = 60
# Types of which each takes all that the other does; a service refuses true for a number.
WIDER = {("int64", "float64"), ("int64", "float32"), ("float32", "float64")}
RELATIVE = 1e-6  # of numbers in an answer, against those of the example


@dataclass(frozen=True)
class Finding:
    """What one check found. Immutable.

    Attributes
    ----------
    name
        "training", "engine", "parity", "signature" or "examples".
    passed
        Whether a version like this may take the place of the one before.
    told
        One sentence.
    more
        Lines that show it: rows that differ, columns that changed.
    """

    name: str
    passed: bool
    told: str
    more: tuple[str, ...] = ()


def check(
    app: str,
    *,
    against: str = "",
    native: bool = False,
    examples: Sequence[str] = (),
    **pairs: Sequence[str],
) -> list[Finding]:
    """Train an app's model aside, serve it, and hold it against the version that is registered.

    Nothing of it stays: neither a run nor a version.

    Parameters
    ----------
    app
        ``module:variable``.
    against
        The version that it is to replace; "": the newest of the model's name, if there is one.
    native
        Whether it must be served without Python.
    examples
        JSON files with bodies of requests that must be answered.
    **pairs
        ``set``, ``param``, ``split``, ``trainer``, as for ``penstock train``.

    Raises
    ------
    PenstockError
        The app cannot be imported, trained or registered at all; one sentence.
    """
    model = load_model(app)
    model.check_is_servable()
    bodies = [_body(Path(path)) for path in examples]
    before = _before(model.name, against)
    # SIGTERM unwinds, so that nothing is left where the registry was.
    with command.terminable(), _aside():
        _train(model, pairs)
        version = model.register()
        found = [_training(model, before), _engine(version, native), _parity(version)]
        found.append(_signature(version, before))
        with version.serve() as service:
            found.append(_examples(service, version, before, bodies))
    return found


@contextmanager
def _aside() -> Iterator[None]:
    """Have everything that is registered go to a registry that vanishes."""
    kept = os.environ.get("PENSTOCK_HOME")
    with tempfile.TemporaryDirectory(prefix="penstock-check-") as folder:
        os.environ["PENSTOCK_HOME"] = folder
        try:
            yield
        finally:
            if kept is None:
                del os.environ["PENSTOCK_HOME"]
            else:
                os.environ["PENSTOCK_HOME"] = kept


def _body(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"'{path}' cannot be read ({error.strerror}); a JSON file with the body of a request "
            f"was expected"
        ) from error


@dataclass(frozen=True)
class Before:
    """What is to be known of the version that is registered. Immutable."""

    spec: str
    signature: dict[str, Any]
    examples: dict[str, Any]
    metrics: dict[str, float]

    @classmethod
    def of(cls, version: ModelVersion) -> Before:
        """Return what is to be known, read while its registry is the one at hand."""
        metrics: Any = None
        if version.run is not None:
            metrics = next((r.metrics for r in runs(version.name) if r.id == version.run), None)
        spec = f"{version.name}@{version.version}"
        return cls(spec, version.signature, version.examples, flattened(metrics))


def _before(name: str, against: str) -> Before | None:
    if against:
        return Before.of(load(against))
    try:
        return Before.of(load(name))
    except NotFoundError:
        return None


def _train(model: Model, pairs: dict[str, Sequence[str]]) -> None:
    settings = command.arguments_of(model, **pairs)
    try:
        with watched(command.tell):
            model.train(**settings)
    except PenstockError:
        raise
    except Exception as error:
        sys.stderr.write(command.trace_of(error))
        raise UnknownError(
            f"the training of '{model.name}' failed, {type(error).__name__}: {first_line(error)}"
        ) from error


def _training(model: Model, before: Before | None) -> Finding:
    metrics = flattened(model.artifact.metrics if model.artifact else None)
    old = before.metrics if before else {}
    told = [
        f"{name} {value:.6g}" + (f" (was {old[name]:.6g})" if name in old else "")
        for name, value in metrics.items()
    ]
    return Finding("training", True, ", ".join(told) or "it has no metrics")


def flattened(metrics: Any, prefix: str = "") -> dict[str, float]:
    """Return metrics by one name each: {"test": {"auc": 0.9}} as "test auc"."""
    if isinstance(metrics, dict):
        parts = [flattened(value, f"{prefix} {name}".strip()) for name, value in metrics.items()]
        return {name: value for part in parts for name, value in part.items()}
    is_number = isinstance(metrics, int | float) and not isinstance(metrics, bool)
    return {prefix: float(metrics)} if is_number else {}


def _engine(version: ModelVersion, native: bool) -> Finding:
    passed = not native or version.engine != "python"
    return Finding("engine", passed, version.engine_reason)


def _parity(version: ModelVersion) -> Finding:
    worst = [
        f"row {row['row']}: {json.dumps(row['inputs'])} the model "
        f"{json.dumps(row['original'])}, native {json.dumps(row['native'])}"
        for form in version.parity.report["candidates"]
        for row in form["worst"][:WORST_ROWS_SHOWN]
    ]
    return Finding("parity", True, repr(version.parity), tuple(worst))


def _signature(version: ModelVersion, before: Before | None) -> Finding:
    if before is None:
        return Finding("signature", True, "there is no version to compare with")
    broken = breaking(before.signature, version.signature)
    if broken:
        return Finding(
            "signature",
            False,
            f"callers of {before.spec} would be refused or get other answers than they expect",
            tuple(broken),
        )
    return Finding("signature", True, f"what {before.spec} takes and answers, this one does too")


def breaking(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what a caller of one signature cannot do with the other, a line each."""
    old = {column["name"]: column for column in before["inputs"]}
    new = {column["name"]: column for column in after["inputs"]}
    told = [f"the column '{name}' is not taken any more" for name in old if name not in new]
    told += [f"the column '{name}' is needed" for name in new if name not in old]
    for name, column in old.items():
        if name in new:
            told += _narrower(name, column, new[name])
    if _labels(before) != _labels(after):
        told.append(f"the classes are {_labels(after)}, they were {_labels(before)}")
    if before["has_probabilities"] and not after["has_probabilities"]:
        told.append("there are no probabilities any more")
    for key in ("type", "width"):
        if before["prediction"][key] != after["prediction"][key]:
            told.append(
                f"the {key} of a prediction is {after['prediction'][key]}, it was "
                f"{before['prediction'][key]}"
            )
    if before.get("output") != after.get("output"):
        told.append("the output is another one")
    return told


def _narrower(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    told = []
    if old["type"] != new["type"] and (old["type"], new["type"]) not in WIDER:
        told.append(f"the column '{name}' is {new['type']}, it was {old['type']}")
    if old["allows_missing"] and not new["allows_missing"]:
        told.append(f"the column '{name}' may not be missing any more")
    if old.get("allows_infinity") and not new.get("allows_infinity"):
        told.append(f"the column '{name}' may not be infinite any more")
    # Without categories, or a bound, a column takes everything.
    known, kept = old.get("categories"), new.get("categories")
    gone = sorted(set(known or []) - set(kept or []))
    if kept and not known:
        told.append(f"the column '{name}' takes {quoted(kept)} alone, it took any text")
    elif kept and gone:
        told.append(f"the column '{name}' does not take {quoted(gone)} any more")
    bound, before = _bound(new), _bound(old)
    if bound < before:
        was = "any number" if math.isinf(before) else f"up to {before:g}"
        told.append(f"the column '{name}' takes up to {bound:g} in absolute value, it took {was}")
    return told


def _bound(column: dict[str, Any]) -> float:
    bound = column.get("abs_max")
    return float(bound["value"] if isinstance(bound, dict) else bound or math.inf)


def _labels(signature: dict[str, Any]) -> list[Any]:
    classes = signature.get("classes") or {}
    return list(classes.get("labels", []))


def _examples(
    service: Service, version: ModelVersion, before: Before | None, bodies: list[bytes]
) -> Finding:
    """Send examples to the service: its own with their answers, others to be answered at all."""
    faults = []
    own = version.examples
    status, answer = _ask(service, json.dumps({"features": own["features"]}).encode())
    count = len(own["features"])
    if status != 200 or not _are_close(answer.get("predictions"), own["predictions"]):
        faults.append(f"its own: {answer.get('detail') or answer.get('predictions')}")
    if before is not None:
        rows = before.examples["features"]
        count += len(rows)
        status, answer = _ask(service, json.dumps({"features": rows}).encode())
        if status != 200:
            faults.append(f"those of {before.spec}: {answer.get('detail')}")
    for number, body in enumerate(bodies, start=1):
        count += 1
        status, answer = _ask(service, body)
        if status != 200:
            faults.append(f"--examples, file {number}: {answer.get('detail')}")
    told = f"{count} were answered" if not faults else f"of {count} not all were answered"
    return Finding("examples", not faults, told, tuple(faults))


def _ask(service: Service, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(service.url + "/predict", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def _are_close(answered: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(answered, int | float):
        return math.isclose(answered, expected, rel_tol=RELATIVE, abs_tol=RELATIVE)
    if isinstance(expected, list) and isinstance(answered, list):
        return len(answered) == len(expected) and all(map(_are_close, answered, expected))
    if isinstance(expected, dict) and isinstance(answered, dict):
        return answered.keys() == expected.keys() and all(
            _are_close(answered[key], expected[key]) for key in expected
        )
    return bool(answered == expected)


def table(found: Sequence[Finding]) -> str:
    """Return findings as people read them."""
    lines = []
    for finding in found:
        lines.append(f"{'ok' if finding.passed else 'FAILED':<8}{finding.name:<11}{finding.told}")
        lines += [f"{'':<19}{line}" for line in finding.more]
    return "\n".join(lines)
