"""The trained model of a Model: at hand, in files, in the environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _penstock import FailedPreconditionError, InvalidArgumentError, UnimplementedError
from penstock._app.artifact import ModelArtifact, load_default, save_default
from penstock._app.dataset import Dataset
from penstock._app.declaration import Declaration
from penstock._checks import quoted

if TYPE_CHECKING:
    from os import PathLike

_log = logging.getLogger("penstock")
MODEL_PATH_VARIABLES = ("PENSTOCK_MODEL_PATH", "UNIONML_MODEL_PATH")


class Trainable(Declaration):
    """What has a trained model, sooner or later.

    Attributes
    ----------
    artifact
        The trained model; None before.
    run
        Id of the run that trained it in this process, or None.
    """

    def __init__(self, name: str, dataset: Dataset) -> None:
        super().__init__(name)
        self._dataset = dataset
        self.artifact: ModelArtifact | None = None
        self.run: str | None = None

    @property
    def dataset(self) -> Dataset:
        """Return what it is trained on: in a notebook, what the dataset's cell made last."""
        return self._dataset._newest()

    def _untrained(self, values: dict[str, Any]) -> Any:
        """Return a model as it is before training, for hyperparameters."""
        raise NotImplementedError

    def _trained(self) -> ModelArtifact:
        if self.artifact is None:
            raise FailedPreconditionError(
                f"the model '{self.name}' is not trained: call train, or load a file or a version"
            )
        return self.artifact

    def save(self, file: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the trained model, its hyperparameters and metrics to a file.

        Parameters
        ----------
        file
            A path, or an object to write bytes to.
        *args, **kwargs
            For the saver.
        """
        artifact = self._trained()
        saver = self._steps.get("saver")
        if saver is None:
            return save_default(artifact, file, *args, **kwargs)
        given = artifact.model_object, artifact.hyperparameters, file
        return saver.function(*given, *args, **kwargs)

    def load(self, file: Any, *args: Any, **kwargs: Any) -> Any:
        """Read a trained model from a file; it is ``artifact`` from then on.

        Opening a file may run code that is in it: open your own.

        Parameters
        ----------
        file
            A path, or an object to read bytes from.
        *args, **kwargs
            For the loader.
        """
        self.artifact = self._read(file, *args, **kwargs)
        self.run = None  # which is not the one that trained it
        return self.artifact.model_object

    def _read(self, file: Any, *args: Any, **kwargs: Any) -> ModelArtifact:
        loader = self._steps.get("loader")
        if loader is None:
            return load_default(file, self._untrained, *args, **kwargs)
        return ModelArtifact(loader.function(file, *args, **kwargs))

    def load_from_env(self, variable: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Read a trained model from the file that an environment variable names.

        Parameters
        ----------
        variable
            None: ``PENSTOCK_MODEL_PATH``, else ``UNIONML_MODEL_PATH``.
        """
        names = MODEL_PATH_VARIABLES if variable is None else (variable,)
        path = next((os.environ[name] for name in names if os.environ.get(name)), None)
        if path is None:
            raise FailedPreconditionError(
                f"no environment variable names the model's file; set {names[0]} to its path"
            )
        return self.load(path, *args, **kwargs)

    def resolve_model_artifact(
        self,
        model_object: Any = None,
        model_version: str | None = None,
        app_version: str | None = None,
        model_file: str | PathLike[str] | None = None,
        loader_kwargs: Mapping[str, Any] | None = None,
    ) -> ModelArtifact:
        """Return the artifact that is meant: of an object, a file, or the one at hand.

        Raises
        ------
        InvalidArgumentError
            More than one source was given.
        """
        given = [
            name
            for name, value in (
                ("model_object", model_object),
                ("model_version", model_version),
                ("model_file", model_file),
            )
            if value is not None
        ]
        if len(given) > 1:
            raise InvalidArgumentError(f"{quoted(given)} were given; give one of them")
        if model_object is not None:
            return ModelArtifact(model_object)
        if model_file is not None:
            return self._read(Path(model_file), **dict(loader_kwargs or {}))
        if model_version is not None or app_version is not None:
            raise UnimplementedError(
                "versions of an app come with a later release; penstock.load('name@N') opens a "
                "registered version"
            )
        return self._trained()

    def remote(self, *args: Any, **kwargs: Any) -> None:
        """Accept UnionML's settings of a Flyte backend, which need no counterpart here.

        Training, versions and services run on this machine; other machines are contexts.
        """
        del args
        _log.warning(
            "model.remote(%s) maps to the context 'local': the registry of this machine. "
            "Registries and targets elsewhere are contexts of Penstock's own.",
            ", ".join(kwargs),
        )
