"""A trained model with what it was trained with, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from _penstock import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnimplementedError,
)
from penstock._extras import missing, needed_for


class ModelArtifact(NamedTuple):
    """A trained model.

    Attributes
    ----------
    model_object
        What the trainer returned.
    hyperparameters
        Those it was made with.
    metrics
        What the evaluator returned, by split.

    Examples
    --------
    >>> artifact = penstock.ModelArtifact(clf, metrics={"test": 0.9})
    >>> artifact.metrics["test"]
    0.9
    """

    model_object: Any
    hyperparameters: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None


def save_default(artifact: ModelArtifact, file: Any, *args: Any, **kwargs: Any) -> Any:
    """Write an artifact with joblib, torch or Keras, whichever its model belongs to.

    Parameters
    ----------
    file
        A path, or an object to write bytes to.

    Raises
    ------
    UnimplementedError
        There is no default for such a model.
    """
    framework = _framework_of(artifact.model_object)
    if framework == "keras":
        return artifact.model_object.save(file, *args, **kwargs)
    if framework == "torch":
        import torch  # the model's own

        kept = {"state_dict": artifact.model_object.state_dict()} | _rest(artifact)
        return torch.save(kept, file, *args, **kwargs)
    with needed_for("Model.save"):
        import joblib

    return joblib.dump(
        {"model_obj": artifact.model_object} | _rest(artifact), file, *args, **kwargs
    )


def load_default(file: Any, init: Any, *args: Any, **kwargs: Any) -> ModelArtifact:
    """Read what ``save_default`` wrote, or what joblib or UnionML did.

    Parameters
    ----------
    file
        A path, or an object to read bytes from.
    init
        Makes an untrained model of hyperparameters, for formats that keep numbers alone.

    Raises
    ------
    NotFoundError
        There is no such file.
    InvalidArgumentError
        It is not a file of a model.
    FailedPreconditionError, ModuleNotFoundError
        A package that the model needs is not installed.
    """
    if isinstance(file, str | Path) and not Path(file).exists():
        raise NotFoundError(f"there is no file '{file}'; a model that was saved was expected")
    suffix = Path(file).suffix if isinstance(file, str | Path) else ""
    if suffix in {".h5", ".keras"}:
        with needed_for(f"the model in '{file}'"):
            import keras

        return ModelArtifact(keras.models.load_model(file, *args, **kwargs))
    if suffix in {".pt", ".pth"}:
        return _load_torch(file, init, *args, **kwargs)
    with needed_for("Model.load"):
        import joblib

    try:
        kept = joblib.load(file, *args, **kwargs)
    except Exception as error:
        if needed := missing(error):
            raise FailedPreconditionError(f"the model in '{file}' needs {needed}") from error
        raise InvalidArgumentError(
            f"'{file}' cannot be opened as a model ({type(error).__name__}: {error}); a file that "
            f"model.save wrote was expected"
        ) from error
    if not (isinstance(kept, dict) and "model_obj" in kept):
        return ModelArtifact(kept)
    return ModelArtifact(kept["model_obj"], kept.get("hyperparameters"), kept.get("metrics"))


def _load_torch(file: Any, init: Any, *args: Any, **kwargs: Any) -> ModelArtifact:
    with needed_for(f"the model in '{file}'"):
        import torch

    kept = torch.load(file, *args, **kwargs)
    model = init(kept.get("hyperparameters") or {})
    model.load_state_dict(kept["state_dict"])
    return ModelArtifact(model, kept.get("hyperparameters"), kept.get("metrics"))


def _rest(artifact: ModelArtifact) -> dict[str, Any]:
    return {"hyperparameters": artifact.hyperparameters, "metrics": artifact.metrics}


def _framework_of(model: Any) -> str:
    modules = {base.__module__.split(".")[0] for base in type(model).__mro__}
    for framework in ("torch", "keras"):
        if framework in modules:
            return framework
    if "tensorflow" in modules:
        raise UnimplementedError(
            f"a {type(model).__name__} has no default file format; decorate functions with "
            f"@model.saver and @model.loader"
        )
    return "joblib"
