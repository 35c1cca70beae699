"""The module `_penstock` itself: what crosses the border between Python and C++, and how."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _penstock

Array = np.ndarray[Any, Any]

CODES = {
    "CancelledError": ("CANCELLED", None),
    "UnknownError": ("UNKNOWN", None),
    "InvalidArgumentError": ("INVALID_ARGUMENT", ValueError),
    "DeadlineExceededError": ("DEADLINE_EXCEEDED", TimeoutError),
    "NotFoundError": ("NOT_FOUND", LookupError),
    "AlreadyExistsError": ("ALREADY_EXISTS", None),
    "PermissionDeniedError": ("PERMISSION_DENIED", PermissionError),
    "ResourceExhaustedError": ("RESOURCE_EXHAUSTED", None),
    "FailedPreconditionError": ("FAILED_PRECONDITION", RuntimeError),
    "AbortedError": ("ABORTED", None),
    "OutOfRangeError": ("OUT_OF_RANGE", IndexError),
    "UnimplementedError": ("UNIMPLEMENTED", NotImplementedError),
    "InternalError": ("INTERNAL", None),
    "UnavailableError": ("UNAVAILABLE", ConnectionError),
    "DataLossError": ("DATA_LOSS", None),
    "UnauthenticatedError": ("UNAUTHENTICATED", None),
}


@pytest.mark.parametrize("name", CODES)
def test_each_code_has_a_class_under_pythons_own(name: str) -> None:
    code, natural = CODES[name]
    kind = getattr(_penstock, name)
    assert kind.code == code
    assert issubclass(kind, _penstock.PenstockError)
    assert natural is None or issubclass(kind, natural)
    assert str(kind("one sentence")) == "one sentence"


COEF = np.array([[2.0, -1.0]])
SIGNATURE = {
    "task": "regression",
    "has_column_names": True,
    "inputs": [
        {"name": "a", "type": "float64", "allows_missing": False, "allows_infinity": False},
        {"name": "b", "type": "float64", "allows_missing": False, "allows_infinity": False},
    ],
    "classes": None,
    "has_probabilities": False,
    "prediction": {"type": "float64", "width": 0, "dtype": "float64"},
}


def linear_form() -> dict[str, Any]:
    """Return 2a - b as a candidate."""
    steps = [{"op": "linear", "coef": "c", "intercept": "i", "link": "identity"}]
    arrays = {"c": COEF, "i": np.zeros(1)}
    encoding = {"tensors": [{"name": "X", "type": "float64", "columns": [0, 1]}]}
    return {
        "kind": "own",
        "file": "evaluator.safetensors",
        "bytes": _penstock.own_evaluator(json.dumps(steps), arrays),
        "precision": "float64",
        "encoding_json": json.dumps(encoding),
        "options_json": "{}",
    }


def original(columns: list[Array]) -> tuple[Array, None]:
    """Answer 2a - b, and refuse what is not finite."""
    a, b = columns
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("Input contains NaN or infinity")
    with np.errstate(over="ignore"):
        return 2 * a - b, None


def register(
    columns: list[Any], home: Path, model: Callable[[list[Any]], Any] = original, **changes: Any
) -> _penstock.Version:
    """Register 2a - b."""
    arguments: dict[str, Any] = {
        "name": "line",
        "home": str(home),
        "signature_json": json.dumps(SIGNATURE),
        "candidates": [linear_form()],
        "columns": columns,
        "original": model,
        "python_form": lambda: ("{}", [("python/model.pickle", b"a pickle")]),
        "native_hint": "",
        "details_json": '{"by": "a test"}',
    }
    return _penstock.register(**(arguments | changes))


@pytest.fixture
def columns() -> list[Array]:
    """Return two columns of 50 numbers."""
    random = np.random.default_rng(0)
    return [random.normal(size=50), random.normal(size=50)]


def predictor_of(version: _penstock.Version, home: Path) -> _penstock.Predictor:
    opened = _penstock.open_version(f"{version.name}@{version.version}", str(home))
    return _penstock.predictor(opened.path)


def test_a_version_is_what_was_registered(columns: list[Array], home: Path) -> None:
    registered = register(columns, home)
    opened = _penstock.open_version("line", str(home))
    assert (registered.name, registered.version, registered.engine) == ("line", 1, "own")
    assert opened.digest == registered.digest == Path(opened.path).name
    assert json.loads(opened.parity_json) == json.loads(registered.parity_json)
    assert json.loads(opened.details_json) == {"by": "a test"}
    assert [v.digest for v in _penstock.models(str(home))] == [opened.digest]
    first = json.loads(opened.signature_json)["inputs"][0]
    assert "NaN or infinity" in first["missing_reason"]


def as_strided(x: Array) -> Array:
    return np.repeat(x, 3)[::3]


def as_reversed(x: Array) -> Array:
    return x[::-1].copy()[::-1]


def as_column_of_a_matrix(x: Array) -> Array:
    return np.stack([x, x * 0], axis=1)[:, 0]


def as_read_only(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def as_unaligned(x: Array) -> Array:
    raw = np.empty(x.nbytes + 1, dtype=np.uint8)
    unaligned = raw[1:].view(x.dtype)
    unaligned[:] = x
    return unaligned


LAYOUTS = [as_strided, as_reversed, as_column_of_a_matrix, as_read_only, as_unaligned]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_are_taken_as_they_lie(
    layout: Callable[[Array], Array], columns: list[Array], home: Path
) -> None:
    predictor = predictor_of(register([layout(x) for x in columns], home), home)
    values, none = predictor.predict([layout(x) for x in columns])
    np.testing.assert_allclose(values, 2 * columns[0] - columns[1], rtol=1e-12)
    assert none is None


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_integers_of_every_width_are_taken(dtype: str, home: Path) -> None:
    values = np.arange(50).astype(dtype)
    predictor = predictor_of(register([values, values], home), home)
    np.testing.assert_array_equal(predictor.predict([values, values])[0], np.arange(50.0))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (np.array(["x"] * 50), "column 'b'"),
        (np.zeros((50, 2)), "column 'b' has 2 dimensions; one was expected"),
        (np.zeros(49), "column 'b' has 49 rows, the first column has 50"),
        (np.full(50, 2**63, dtype=np.uint64), "9223372036854775808; integers up to 2^63 - 1"),
        (np.zeros(50, dtype=complex), "an array of numbers or booleans was expected"),
        (np.zeros(50, dtype=">f8"), "an array of numbers or booleans was expected"),
        ("text", "an array of numbers or booleans was expected"),
    ],
)
def test_a_column_that_is_none_is_told(
    wrong: Any, told: str, columns: list[Array], home: Path
) -> None:
    with pytest.raises(_penstock.InvalidArgumentError) as raised:
        register([columns[0], wrong], home)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"signature_json": "{"}, "signature_json: not valid JSON"),
        ({"details_json": "nope"}, "details_json: not valid JSON"),
        ({"name": "no/name"}, "no/name"),
        ({"candidates": [linear_form() | {"kind": "tpu"}]}, "'tpu' is no engine"),
        ({"original": lambda c: c[0]}, "must return a pair"),
        ({"original": lambda c: (c[0][1:], None)}, "1 for each of 50 rows were expected"),
    ],
)
def test_arguments_that_do_not_fit_are_told(
    changes: dict[str, Any], told: str, columns: list[Array], home: Path
) -> None:
    with pytest.raises(_penstock.InvalidArgumentError) as raised:
        register(columns, home, **changes)
    assert told in str(raised.value)
    assert _penstock.models(str(home)) == []


def test_what_the_original_raises_is_raised_as_the_same_object(
    columns: list[Array], home: Path
) -> None:
    error = KeyError("mine")

    def raises(_: list[Array]) -> Any:
        raise error

    with pytest.raises(KeyError) as raised:
        register(columns, home, raises)
    assert raised.value is error
    assert raised.traceback[-1].name == "raises"
    assert _penstock.models(str(home)) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupt_on_a_probe_is_no_refusal(
    kind: type[BaseException], columns: list[Array], home: Path
) -> None:
    def interrupted(given: list[Array]) -> Any:
        if not np.isfinite(given[0]).all():
            raise kind
        return original(given)

    with pytest.raises(kind):
        register(columns, home, interrupted)
    assert _penstock.models(str(home)) == []


def test_a_row_is_refused_by_its_number(columns: list[Array], home: Path) -> None:
    predictor = predictor_of(register(columns, home), home)
    many = np.zeros(10_000)
    many[9_876] = np.nan
    with pytest.raises(_penstock.InvalidArgumentError, match=r"^row 9876: column 'b' is missing"):
        predictor.predict([np.zeros(10_000), many])


def test_many_threads_share_a_predictor(home: Path, columns: list[Array]) -> None:
    predictor = predictor_of(register(columns, home), home)
    random = np.random.default_rng(1)
    wrong: list[str] = []

    def work(seed: int) -> None:
        a, b = np.random.default_rng(seed).normal(size=(2, 20_000))
        for _ in range(20):
            if not np.allclose(predictor.predict([a, b])[0], 2 * a - b, rtol=1e-12):
                wrong.append(f"thread {seed}")

    threads = [threading.Thread(target=work, args=(int(s),)) for s in random.integers(0, 99, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_rows_that_are_read_come_once(home: Path, tmp_path: Path) -> None:
    import sqlite3

    import pyarrow

    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table t (x real)")
        connection.executemany("insert into t values (?)", [(float(i),) for i in range(10)])
    table = _penstock.read(f"sqlite:///{tmp_path / 't.db'}#t")
    assert pyarrow.table(table).num_rows == 10
    table.check()
    with pytest.raises(_penstock.FailedPreconditionError, match="taken already"):
        table.__arrow_c_stream__()


def test_a_read_that_fails_on_its_way_says_why(home: Path, tmp_path: Path) -> None:
    import sqlite3

    import pyarrow

    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table t (x integer)")
        rows: list[tuple[Any]] = [(i,) for i in range(200_000)]
        connection.executemany("insert into t values (?)", [*rows, (b"a blob",)])
    table = _penstock.read(f"sqlite:///{tmp_path / 't.db'}#t")
    with pytest.raises(pyarrow.ArrowException):
        pyarrow.table(table)
    with pytest.raises(_penstock.InvalidArgumentError, match="'x'"):
        table.check()


# A forest of 20,000 equal trees: native work of many seconds, with little to prepare.
SLOW = """
    import json, sys, time
    import numpy as np
    import _penstock

    steps = [{"op": "forest", "mode": "regressor", "roots": "roots", "feature": "feature",
              "threshold": "threshold", "left": "left", "right": "right",
              "missing_left": "missing_left", "value": "value"}]
    roots = 3 * np.arange(20_000)
    leaf = np.full(20_000, -1)
    each = lambda root: np.stack([root, leaf, leaf], axis=1).ravel()
    arrays = {
        "roots": roots, "feature": each(roots * 0), "threshold": np.zeros(60_000),
        "left": each(roots + 1), "right": each(roots + 2),
        "missing_left": np.zeros(60_000, dtype=np.uint8),
        "value": np.tile([[0.0], [1.0], [2.0]], (20_000, 1)),
    }
    single_rows = 0

    def original(columns):
        global single_rows
        single_rows += len(columns[0]) == 1
        if WAITS_FOR == "python" and len(columns[0]) > 1:
            print("working", flush=True)
            time.sleep(60)
        if single_rows == 21:  # the last calls before native work
            print("working", flush=True)
        if not np.isfinite(columns[0]).all():
            raise ValueError("not finite")
        return np.where(columns[0] <= 0, 1.0, 2.0), None

    signature = {
        "task": "regression", "has_column_names": True,
        "inputs": [{"name": "a", "type": "float64", "allows_missing": False,
                    "allows_infinity": False}],
        "classes": None, "has_probabilities": False,
        "prediction": {"type": "float64", "width": 0, "dtype": "float64"},
    }
    form = {
        "kind": "own", "file": "evaluator.safetensors", "precision": "float64",
        "bytes": _penstock.own_evaluator(json.dumps(steps), arrays), "options_json": "{}",
        "encoding_json": '{"tensors": [{"name": "X", "type": "float64", "columns": [0]}]}',
    }
    _penstock.register(
        name="slow", home="home", signature_json=json.dumps(signature), candidates=[form],
        columns=[np.random.default_rng(0).normal(size=100_000)], original=original,
        python_form=lambda: ("{}", [("m", b"")]), native_hint="", details_json="{}",
    )
"""


@pytest.mark.parametrize("waits_for", ["python", "native"])
def test_ctrl_c_ends_a_registration(waits_for: str, tmp_path: Path) -> None:
    folder = Path(_penstock.__file__).parent
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); WAITS_FOR = {waits_for!r}\n"
    command = [sys.executable, "-c", start + textwrap.dedent(SLOW)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, told
    assert "KeyboardInterrupt" in told
    assert _penstock.models(str(tmp_path / "home")) == []
