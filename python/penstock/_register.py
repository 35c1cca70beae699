"""register: from a fitted model to a version."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import _penstock
from penstock._adapter import NotMatchedError, is_array, match
from penstock._checks import check_columns, check_values
from penstock._containers import contain
from penstock._contents import Contents, app_folders
from penstock._export import Subject, export
from penstock._export.parts import known_texts
from penstock._model import TRIAL_ROWS_MAX, answers_of, check_is_model
from penstock._original import original_of
from penstock._predicting import Around, Predicting, name_of
from penstock._signature import signature_json
from penstock._version import ModelVersion, home_folder
from penstock._worker_form import worker_form

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from _penstock import PythonForm
    from penstock._adapter import Predictor
    from penstock._containers import Container
    from penstock._model import Answers
    from penstock._output import Output

FRAMEWORKS = ("scikit-learn", "numpy", "pandas", "skl2onnx", "onnx")


def register(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    name: str,
    engine: str | None = None,
    home: str | PathLike[str] | None = None,
    run: str | None = None,
    predict: Predictor | None = None,
    output: Output | None = None,
    contents: Contents | None = None,
) -> ModelVersion:
    """Make a version of a fitted model, which runs without Python wherever it can.

    The model is read, never changed. Its native form is held against the model itself on every row
    of X and on probes (missing, infinite, huge values); only a form that gives the model's answers
    is kept. A model that has no such form is registered as it is.

    Parameters
    ----------
    model
        A fitted estimator: any object with ``predict``. ``predict_proba`` is used where there is
        one.
    X
        Rows to check on, shape (rows, features): the ones the model was fitted on, or others like
        them. A pandas DataFrame, a NumPy array, a list of rows, or a table of polars, pyarrow or
        penstock.
    y
        Taken so that calls of ``fit`` and ``register`` look alike; not used.
    name
        Of the model. Registering under a name again makes the next version.
    engine
        "own" or "onnxruntime": try that one alone. None: whichever fits.
    home
        The folder that holds the registry; None: ``PENSTOCK_HOME``, else ``.penstock`` found
        upward from the working directory, else made there.
    run
        Id of the run that trained the model; None where none did.
    predict
        What stands between the model and its answers: ``(model, X) -> predictions``. It is tried
        on a stand-in of the model; where it returns labels under other names or types,
        probabilities, a threshold's sides or the top k, the service answers the same without
        Python. What does more runs in Python workers, whole; it may return numbers, texts or
        booleans, one or a list of numbers a row.
    output
        The same as data; not beside ``predict``.
    contents
        Which files go along where Python workers are needed, and how much; see ``Contents``.

    Returns
    -------
    ModelVersion
        The version, with the evidence; printing it tells the outcome.

    Raises
    ------
    InvalidArgumentError
        The object is not a fitted model, X or output does not fit it, or the name is not one. It
        has no native form, and a new Python process cannot load it or answers otherwise; or what it
        needs is nothing that a package takes: too large, a secret, a file that git does not track.
        Nothing was registered.

    Examples
    --------
    >>> v = penstock.register(clf, X, y, name="churn")
    >>> v.predict(X.head(3))
    array(['no', 'yes', 'no'], dtype=object)
    """
    if y is not None and hasattr(y, "__len__") and hasattr(X, "__len__") and len(y) != len(X):
        raise _penstock.InvalidArgumentError(
            f"y has {len(y):,} values and X {len(X):,} rows; one value a row was expected"
        )
    return register_around(
        model,
        X,
        Around(predict),
        name=name,
        engine=engine,
        home=home,
        run=run,
        output=output,
        contents=contents,
    )


def register_around(
    fitted: Any,
    X: Any,
    around: Around,
    *,
    name: str,
    engine: str | None = None,
    home: str | PathLike[str] | None = None,
    run: str | None = None,
    output: Output | None = None,
    contents: Contents | None = None,
) -> ModelVersion:
    """Make a version of a fitted model with functions around it, as ``register`` describes.

    X is what a caller gives: what the transformer takes, where there is one.
    """
    check_is_model(fitted)
    reason = around.not_native(fitted)
    model = around.fused(fitted) if reason is None else Predicting(fitted, around)
    container = check_columns(model, contain(X))
    types = container.types()
    columns = container.to_columns(types)
    check_values(model, container)
    answers = answers_of(model, container)
    if reason is not None:
        answers = dataclasses.replace(answers, not_native=reason)
    has_names = container.has_names or hasattr(model, "feature_names_in_")
    if around.predictor is None or output is not None:
        spec, kind = _output_of(answers, around.predictor, output)
    elif reason is not None:
        spec, kind = None, _kind_of(model, container)
    else:
        spec, kind, reason = _matched(around.predictor, model, container, answers)
        if reason is not None:
            model = Predicting(fitted, around)
            answers = dataclasses.replace(answers_of(model, container), not_native=reason)
    candidates = export(Subject(model, container, types, answers), engine)
    folder = home_folder(home)
    signature = signature_json(container.names, types, has_names, answers, spec)
    app = app_folders(sys._getframe())
    registered = _penstock.register(
        name=name,
        home=folder,
        signature_json=signature,
        candidates=candidates.forms,
        columns=columns,
        known_texts=known_texts(model, container.names),
        original=original_of(model, container, answers),
        python_form=lambda: _python_form(
            model, container, json.loads(signature), contents or Contents(), app
        ),
        native_hint=candidates.hint,
        details_json=json.dumps(_details(fitted, container, answers) | {"answer_kind": kind}),
        run=run or "",
    )
    return ModelVersion(registered, folder)


def _output_of(
    answers: Answers, predict: Predictor | None, output: Output | None
) -> tuple[dict[str, Any] | None, str]:
    """Return what stands in an answer, and in what ``ModelVersion.predict`` returns it."""
    if output is None:
        return None, "ndarray"
    if predict is not None:
        raise _penstock.InvalidArgumentError(
            "predict and output were given, which both say what is answered; give one of them"
        )
    return output.spec(answers), "list"


def _matched(
    predict: Predictor, model: Any, container: Container, answers: Answers
) -> tuple[dict[str, Any] | None, str, str | None]:
    """Return the output that a predictor is and its kind; or why it is none, as a clause."""
    try:
        matched = match(predict, model, container, answers)
    except NotMatchedError as error:
        kind = _kind_of(Predicting(model, Around(predict)), container)
        reason = (
            f"its predictor '{name_of(predict)}' is none of the outputs: {error} (native are "
            f"labels, under other names or types, probabilities, a threshold's sides, the top k)"
        )
        return None, kind, reason
    return matched.spec, matched.kind, None


def _kind_of(model: Predicting, container: Container) -> str:
    """Return whether a model answers with an "ndarray" or a "list".

    Raises
    ------
    InvalidArgumentError
        Its answer is none that a worker could pass on.
    """
    try:
        answer = model.predict(container.take(range(min(TRIAL_ROWS_MAX, container.rows))))
    except Exception:
        return "ndarray"  # what it raises is told when it is asked as a model
    model.check(answer)
    return "ndarray" if is_array(answer) else "list"


def _python_form(
    model: Any,
    container: Container,
    signature: dict[str, Any],
    contents: Contents,
    app: tuple[Path, ...],
) -> PythonForm:
    options, files = worker_form(model, container, signature, contents, app)
    return json.dumps(options), list(files.items())


def _details(model: Any, container: Container, answers: Answers) -> dict[str, Any]:
    kind = type(model)
    versions = {}
    for package in FRAMEWORKS:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "model_class": f"{kind.__module__}.{kind.__qualname__}",
        "rows": container.rows,
        "container": container.kind,
        "python": platform.python_version(),
        "packages": versions,
        "probabilities_dtype": answers.probabilities_dtype,
    }
