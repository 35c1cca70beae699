"""register: from a fitted model to a version."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import _penstock
from penstock._checks import check_columns, check_values
from penstock._containers import contain
from penstock._export import Subject, export
from penstock._export.parts import known_texts
from penstock._model import answers_of, check_is_model
from penstock._original import original_of
from penstock._signature import signature_json
from penstock._version import ModelVersion, home_folder
from penstock._worker_form import worker_form

if TYPE_CHECKING:
    from os import PathLike

    from _penstock import PythonForm
    from penstock._containers import Container
    from penstock._model import Answers

FRAMEWORKS = ("scikit-learn", "numpy", "pandas", "skl2onnx", "onnx")


def register(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    name: str,
    engine: str | None = None,
    home: str | PathLike[str] | None = None,
) -> ModelVersion:
    """Make a version of a fitted model that runs without Python.

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

    Returns
    -------
    ModelVersion
        The version, with the evidence; printing it tells the outcome.

    Raises
    ------
    InvalidArgumentError
        The object is not a fitted model, X does not fit it, or the name is not one.

    Examples
    --------
    >>> v = penstock.register(clf, X, y, name="churn")
    >>> v.predict(X.head(3))
    array(['no', 'yes', 'no'], dtype=object)
    """
    del y
    check_is_model(model)
    container = check_columns(model, contain(X))
    types = container.types()
    columns = container.to_columns(types)
    check_values(model, container)
    answers = answers_of(model, container)
    candidates = export(Subject(model, container, types, answers), engine)
    has_names = container.has_names or hasattr(model, "feature_names_in_")
    folder = home_folder(home)
    registered = _penstock.register(
        name=name,
        home=folder,
        signature_json=signature_json(container.names, types, has_names, answers),
        candidates=candidates.forms,
        columns=columns,
        known_texts=known_texts(model, container.names),
        original=original_of(model, container, answers),
        python_form=lambda: _python_form(model, container),
        native_hint=candidates.hint,
        details_json=json.dumps(_details(model, container, answers)),
    )
    return ModelVersion(registered, folder)


def _python_form(model: Any, container: Container) -> PythonForm:
    options, files = worker_form(model, container)
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
