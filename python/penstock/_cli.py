"""The command line: C++ has the commands, this module what only the user's own Python can do."""

from __future__ import annotations

import dataclasses
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _penstock
from penstock._checks import did_you_mean, quoted
from penstock._columns import is_missing
from penstock._extras import missing, needed_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock._version import ModelVersion


def main() -> int:
    """Run the command line and return the exit code."""
    return _penstock.cli_main(sys.argv, UserCode())


class UserCode:
    """What the commands ask of the user's Python."""

    def register(
        self,
        *,
        model: str,
        name: str,
        examples: str,
        target: str = "",
        engine: str = "",
        text: Sequence[str] = (),
        is_json: bool = False,
    ) -> None:
        """Open a joblib file, register its model, and print the new version.

        Parameters
        ----------
        model
            Path of the joblib file. Opening it may run its code: the user named it.
        name
            Of the model.
        examples
            Path of a CSV file with the rows to check on.
        target
            Column of the CSV file that is not a feature; "" where there is none.
        engine
            "own", "onnxruntime", or "": whichever fits.
        text
            Columns of the CSV file to read as text, whatever they look like.
        is_json
            Print an object for programs.

        Raises
        ------
        PenstockError
            With one sentence; nothing was registered.
        """
        from penstock._register import register

        fitted = _open_model(Path(model))
        X = _read_examples(Path(examples), target, list(text), fitted)
        try:
            version = register(fitted, X, name=name, engine=engine or None)
        except _penstock.InvalidArgumentError as error:
            # With a cause it is the model that refused the rows, and none of them is short of
            # values.
            if error.__cause__ is None or X.isna().any(axis=None):
                raise
            raise _penstock.InvalidArgumentError(
                f"{error}; columns that are text though they look like numbers are named with "
                f"--text"
            ) from error
        print(json.dumps(_summary(version)) if is_json else version)

    def train(
        self,
        *,
        app: str,
        name: str,
        registers: bool,
        is_json: bool,
        **pairs: Sequence[str],
    ) -> None:
        """Train a model of an app, register it, and print metrics and the new version.

        Parameters
        ----------
        app
            ``module:variable``.
        name
            To register under; "": the model's.
        registers
            False: train and evaluate only.
        is_json
            Print an object for programs.
        **pairs
            ``set``, ``param``, ``split``, ``trainer``: hyperparameters, and arguments of reader,
            splitter and trainer, each "name=value".

        Raises
        ------
        PenstockError
            With one sentence; nothing was registered.
        """
        from penstock._app import command

        if is_json:
            with command.prints_to_stderr():
                model, version = command.train(app, name=name, registers=registers, **pairs)
            print(json.dumps(command.summary(model, version), default=float))
            return
        model, version = command.train(app, name=name, registers=registers, **pairs)
        for split_name, metric in (model.artifact.metrics or {} if model.artifact else {}).items():
            print(f"{split_name}  {metric}")
        if version is not None:
            print(version)

    def check(
        self,
        *,
        app: str,
        against: str,
        native: bool,
        examples: Sequence[str],
        is_json: bool,
        **pairs: Sequence[str],
    ) -> None:
        """Train a model of an app aside, and print how it compares with the registered version.

        Parameters
        ----------
        app
            ``module:variable``.
        against
            The version to compare with; "": the newest of the model's name.
        native
            Whether it must be served without Python.
        examples
            Paths of JSON files with bodies of requests that must be answered.
        is_json
            Print an object for programs.
        **pairs
            As for ``train``.

        Raises
        ------
        FailedPreconditionError
            A check failed; all were printed.
        PenstockError
            It could not be checked; one sentence.
        """
        from penstock._app import checking, command

        with command.prints_to_stderr():
            found = checking.check(app, against=against, native=native, examples=examples, **pairs)
        if is_json:
            print(json.dumps([dataclasses.asdict(finding) for finding in found]))
        else:
            print(checking.table(found))
        failed = [finding.name for finding in found if not finding.passed]
        if failed:
            raise _penstock.FailedPreconditionError(
                f"{len(failed)} of {len(found)} checks failed: {quoted(failed)}"
            )


def _open_model(path: Path) -> Any:
    with needed_for("penstock register"):
        import joblib

    if not path.is_file():
        raise _penstock.NotFoundError(
            f"there is no file '{path}'; a model saved by joblib was expected"
        )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            model = joblib.load(path)
        except (Exception, SystemExit) as error:
            if needed := missing(error):
                raise _penstock.FailedPreconditionError(
                    f"the model in '{path}' needs {needed}"
                ) from error
            lines = str(error).strip().splitlines()
            raise _penstock.InvalidArgumentError(
                f"'{path}' cannot be opened, it raised {type(error).__name__}"
                f"{': ' + lines[0].rstrip('.') if lines else ''}; a model saved by joblib.dump, "
                f"with the packages that this Python has, was expected"
            ) from error
    for message in {str(warning.message).splitlines()[0] for warning in told}:
        print(f"penstock: opening '{path}': {message}", file=sys.stderr)
    return model


def _read_examples(path: Path, target: str, text: list[str], model: Any) -> Any:
    with needed_for("penstock register"):
        import pandas as pd

    if not path.is_file():
        raise _penstock.NotFoundError(
            f"there is no file '{path}'; a CSV file with rows was expected"
        )
    try:
        # "NA" and "nan" are texts like any other; an empty cell is a missing value.
        as_text = dict.fromkeys([*_text_columns(model), *text], str)
        rows = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=as_text)
    except (ValueError, OSError) as error:  # ParserError and EmptyDataError are ValueErrors
        raise _penstock.InvalidArgumentError(
            f"'{path}' cannot be read as CSV: {str(error).strip().rstrip('.')}"
        ) from error
    columns = [str(column) for column in rows.columns]
    for name in text:
        if name not in columns:
            raise _penstock.NotFoundError(
                f"'{path}' has no column '{name}', which --text names"
                f"{did_you_mean(name, columns) or f'; it has {quoted(columns)}'}"
            )
    if target:
        if target not in columns:
            raise _penstock.NotFoundError(
                f"'{path}' has no column '{target}', which --target names"
                f"{did_you_mean(target, columns) or f'; it has {quoted(columns)}'}"
            )
        rows = rows.drop(columns=target)
    _check_columns(path, list(rows.columns), model)
    return rows


def _text_columns(model: Any) -> set[str]:
    """Return the columns whose encoder in the model knows texts: "00123" is no number there."""
    names: set[str] = set()
    _add_text_columns(model, getattr(model, "feature_names_in_", None), names)
    return names


def _add_text_columns(part: Any, columns: Any, names: set[str]) -> None:
    columns = getattr(part, "feature_names_in_", columns)
    if hasattr(part, "transformers_"):
        for _, inner, chosen in part.transformers_:
            # A position, a slice or a mask chooses columns too; only names tell which is which.
            if isinstance(chosen, list) and all(isinstance(name, str) for name in chosen):
                _add_text_columns(inner, chosen, names)
        return
    if hasattr(part, "best_estimator_"):
        _add_text_columns(part.best_estimator_, columns, names)
    elif isinstance(getattr(part, "steps", None), list):
        for _, step in part.steps[:1]:
            _add_text_columns(step, columns, names)
    categories = getattr(part, "categories_", None)
    if columns is None or not isinstance(categories, list) or len(categories) != len(columns):
        return
    for name, known in zip(columns, categories, strict=True):
        if all(isinstance(value, str) or is_missing(value) for value in known):
            names.add(str(name))


def _check_columns(path: Path, given: list[str], model: Any) -> None:
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        return
    unknown = [name for name in given if name not in known]
    missing = [str(name) for name in known if name not in given]
    if unknown and not missing:
        raise _penstock.InvalidArgumentError(
            f"'{path}' has column{'s' * (len(unknown) > 1)} {quoted(unknown)}, which the model was "
            f"not fitted on: name the target with --target, and leave out other columns"
        )


def _summary(version: ModelVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "digest": version.digest,
        "engine": version.engine,
        "engine_reason": version.engine_reason,
        "parity": version.parity.report,
    }
