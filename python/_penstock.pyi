"""The engine inside Python: what C++ gives to the package `penstock`. Private; use `penstock`.

Every call that works for long releases the GIL, takes it back only for the callback it was given,
and asks for Ctrl-C at least every 100 ms. An exception that a callback raises comes out of the call
as the same object. Nothing is stored when a call raises.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypedDict, final

import numpy as np
from numpy.typing import NDArray

version: str
"""The version of the engine, as in "0.1.0"."""

binary_dir: str
"""The folder of this module, in which penstock-server and libonnxruntime.so.1 stand too."""

Column: TypeAlias = NDArray[Any] | list[str | None] | list[bool | None]
"""One input column, n rows, by the type of its Input in the signature:

- float64, float32: one-dimensional float array; NaN is missing.
- int64: integer array of any width that fits int64. With missing or infinite values (callbacks get
  such probes): a float64 array.
- bool: bool array. With missing values: a list of True, False, None.
- string: a list of str and None (missing).

Arrays may have any stride and byte order of the machine; they are read, never changed or kept.
"""

Answer: TypeAlias = tuple[Any, NDArray[Any] | None] | tuple[Any, NDArray[Any] | None, int]
"""What the original answers for n rows: (what predict returned, probabilities or None), and the
nanoseconds that the model itself took, where it is known.

Classification: the n labels as predict returned them (array or list); each must be one of the
signature's classes, and is matched by value. Everything else: a float or integer array of shape
(n,), or (n, prediction_width) for several targets. Probabilities: float array of shape (n, number
of classes) in the order of the signature's classes, exactly when the signature has probabilities.
"""

PythonForm: TypeAlias = tuple[str, Sequence[tuple[str, bytes]]]
"""The options of the engine's entry as JSON, and files with their paths in the package, the pickled
model first (docs/internals/package-format.md).
"""

class Candidate(TypedDict):
    """One native form of the model."""

    kind: str  # "own" or "onnxruntime"
    file: str  # the file's name in the package: "evaluator.safetensors", "model.onnx"
    bytes: bytes  # what own_evaluator returned, or the serialized ONNX model
    precision: str  # "float64" or "float32": of what it computes and returns
    encoding_json: str  # package::Encoding as JSON: how columns become tensors
    options_json: str  # engine-specific: names of the ONNX outputs; "{}" for "own"

class PenstockError(Exception):
    """Whatever Penstock refuses or fails at. The message is one sentence with the remedy."""

    code: str
    """The canonical code, as in "INVALID_ARGUMENT"; docs/reference/errors.md has the table."""

class CancelledError(PenstockError): ...
class UnknownError(PenstockError): ...
class InvalidArgumentError(PenstockError, ValueError): ...
class DeadlineExceededError(PenstockError, TimeoutError): ...
class NotFoundError(PenstockError, LookupError): ...
class AlreadyExistsError(PenstockError): ...
class PermissionDeniedError(PenstockError, PermissionError): ...
class ResourceExhaustedError(PenstockError): ...
class FailedPreconditionError(PenstockError, RuntimeError): ...
class AbortedError(PenstockError): ...
class OutOfRangeError(PenstockError, IndexError): ...
class UnimplementedError(PenstockError, NotImplementedError): ...
class InternalError(PenstockError): ...
class UnavailableError(PenstockError, ConnectionError): ...
class DataLossError(PenstockError): ...
class UnauthenticatedError(PenstockError): ...

def own_evaluator(steps_json: str, arrays: dict[str, NDArray[Any]]) -> bytes:
    """Return the bytes of `evaluator.safetensors` for these steps (docs/internals).

    Arrays are float64, float32, int64, int32, uint8 or bool, contiguous or not; steps name them.
    Whether the steps make sense is judged where the evaluator is loaded: `register` reports it.

    Raises
    ------
    InvalidArgumentError
        steps_json is not JSON, or an array has another type.
    """

def register(
    *,
    name: str,
    home: str | None,
    signature_json: str,
    candidates: Sequence[Candidate],
    columns: Sequence[Column],
    original: Callable[[list[Column]], Answer],
    python_form: Callable[[], PythonForm],
    native_hint: str,
    details_json: str,
    known_texts: Sequence[Sequence[str]] = ...,
    run: str = "",
) -> Version:
    """Hold the candidates against the original and commit the first that passes as a new version.

    What it returns has not been unpacked: its path is "".

    Parameters
    ----------
    name
        Of the model; made when it is not there yet.
    home
        The folder that holds registry.db; None finds it as `home(None)` does.
    signature_json
        package::Signature as JSON (docs/internals/package-format.md). What the original refuses and
        the limits of the engine are filled in here; what stands there of these is replaced.
    candidates
        In order of preference; may be empty.
    columns
        One column per input, in the signature's order: all rows at hand, at least one.
    original
        Called with columns of the same form (fewer or other rows, probes too), from this thread.
        What it raises on a probe is a refusal that the service repeats; what it raises on the rows
        themselves is raised here.
    python_form
        Returns the model as Python workers run it; called only when no candidate passes. The bytes
        are stored, and never opened. A PenstockError that it raises becomes part of the error.
    native_hint
        One sentence on what would make the model native; used when no candidate passes or the
        choice is not the first.
    details_json
        An object kept with the version in the registry: framework, versions, class of the model.
    known_texts
        For each column, texts that the model may know beyond those in the rows. Where it refuses
        others it is asked about these, and the service answers those that it answers.
    run
        Id of the run that trained the model; "" where none did.

    Raises
    ------
    PenstockError
        Nothing was registered.
    """

@final
class Version:
    """A registered version. Immutable."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: the package's identity."""
    @property
    def created_at_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
    @property
    def engine(self) -> str:
        """ "own", "onnxruntime" or "python"."""
    @property
    def engine_reason(self) -> str:
        """One sentence: which engine, why, what would make it native."""
    @property
    def signature_json(self) -> str: ...
    @property
    def parity_json(self) -> str:
        """The report, as docs/internals/parity.md describes it."""
    @property
    def details_json(self) -> str: ...
    @property
    def run(self) -> str:
        """Id of the run that trained it, or ""."""
    @property
    def path(self) -> str:
        """The unpacked, read-only package: what penstock-server is given."""

def open_version(spec: str, home: str | None) -> Version:
    """Return the version that `name@3` or `name` (the newest) stands for, unpacked and checked.

    Raises
    ------
    NotFoundError
        No such model or version; the message names the nearest.
    DataLossError
        A file of the package was changed.
    """

def models(home: str | None) -> list[Version]:
    """Return the newest version of every model, by name, without unpacking it.

    signature_json, parity_json and path are "".
    """

@final
class Run:
    """A training that goes on in this process. Safe to use from several threads at once.

    One that is never ended becomes "stopped" when the object or the process goes.
    """

    @property
    def id(self) -> str:
        """32 hex digits."""
    def note(self, name: str, value_json: str) -> None:
        """Add to what is known of its origin."""
    def report(self, step: int, metrics_json: str) -> None:
        """Keep metrics of a step, an object of numbers; written within 200 ms or at the end."""
    def end(self, status: str, metrics_json: str, reason: str = "", traceback: str = "") -> None:
        """End it as "finished", "failed" or "stopped", once; durable when this returns.

        Raises
        ------
        FailedPreconditionError
            It has ended already.
        """

def begin_run(*, model: str, home: str | None, hyperparameters_json: str, origin_json: str) -> Run:
    """Record the beginning of a training; durable when this returns. Both JSON are objects."""

def find_run(id: str, home: str | None) -> str:
    """Return a run, by its id or the beginning of it, as JSON with what was reported.

    Raises
    ------
    NotFoundError
        There is none.
    InvalidArgumentError
        Several begin so.
    """

def runs(model: str, count_max: int, home: str | None) -> list[str]:
    """Return the newest runs, of one model or of all ("" for the model), each as JSON."""

@final
class Predictor:
    """A package's engine for this process: native in it, or a Python worker beside it. Safe to use
    from several threads at once.
    """

    @property
    def signature_json(self) -> str: ...
    def predict(
        self, columns: Sequence[Column]
    ) -> tuple[NDArray[np.int64] | NDArray[np.float64], NDArray[np.float64] | None]:
        """Return (class_index, probabilities) for a classifier, (values, None) for everything else.

        class_index: int64, shape (n,), into the signature's classes. values: float64, shape (n,)
        where prediction_width is 0, else (n, prediction_width). probabilities: float64, shape (n,
        number of classes), or None.

        Raises
        ------
        InvalidArgumentError
            A value that the service would answer with 422; the message begins "row 17: ".
        """

def predictor(package_path: str) -> Predictor:
    """Load the first engine of the package that this process can run.

    Raises
    ------
    FailedPreconditionError
        It runs in Python workers, and this host has no Python that can.
    """

@final
class Table:
    """Rows read from a source, as a stream of Arrow batches that can be taken once."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the PyCapsule "arrow_array_stream", once; `pyarrow.table(t)` calls it."""
    def gather(self) -> None:
        """Let all rows come in one batch, so that a column is one piece of memory."""
    def check(self) -> None:
        """Raise what ended the stream: Arrow's interface hands an error on as a text only."""

def read(uri: str) -> Table:
    """Read a source: `data/*.csv`, `sqlite:///digits.db#digits`, ...?query=SELECT ...`."""

def home(path: str | None) -> str:
    """Return the folder that holds registry.db: `path`, else PENSTOCK_HOME, else `.penstock` found
    upward from the working directory, else the one that `register` makes there.
    """

def is_credential(name: str, value: str) -> bool:
    """Tell whether a variable of the environment may hold a credential, which no worker gets."""

def cli_main(argv: Sequence[str], user_code: object | None) -> int:
    """Run the command line `penstock` and return the exit code. argv[0] is the program's name.

    `penstock register` calls ``user_code.register(*, model, name, examples, target, engine,
    text, is_json)``: all str, but for text: list[str] and is_json: bool; target and engine ("own",
    "onnxruntime") are "" when not given. `penstock train` calls ``user_code.train(*, app, set,
    param, split, trainer, name, registers, is_json)``: app and name str, the four list[str] of
    "name=value", the rest bool. They register and print. What it raises is printed as one
    sentence; a PenstockError keeps its exit code. None: the command says that Python is needed.
    `penstock serve` does not return when it succeeds: the process becomes penstock-server.
    """
