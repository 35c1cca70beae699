"""Finding the model that ``module:variable`` names, in the user's own code."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from _penstock import FailedPreconditionError, InvalidArgumentError, NotFoundError
from penstock._app.model import Model
from penstock._checks import did_you_mean, quoted
from penstock._model import first_line


def load_model(app: str) -> Model:
    """Import an app and return its model.

    Parameters
    ----------
    app
        ``module:variable``; the module is looked for in the working directory first.

    Raises
    ------
    InvalidArgumentError
        It is not of that form, or the variable is no model.
    NotFoundError
        There is no such module or variable.
    FailedPreconditionError
        The module raised while it was imported; its traceback stands on standard error.
    """
    name, colon, variable = app.partition(":")
    if not colon or not name or not variable.isidentifier():
        raise InvalidArgumentError(
            f"'{app}' names no model of an app; module:variable was expected, as in app:model for "
            f"the variable 'model' of app.py"
        )
    module = _import(name)
    found = getattr(module, variable, None)
    if isinstance(found, Model):
        return found
    models = [key for key, value in vars(module).items() if isinstance(value, Model)]
    there = f"its models are {quoted(models)}" if models else "it has no penstock.Model"
    if found is None:
        raise NotFoundError(
            f"the module '{name}' has no variable '{variable}'; {there}"
            f"{did_you_mean(variable, models)}"
        )
    raise InvalidArgumentError(
        f"'{variable}' of the module '{name}' is a {type(found).__name__}; a penstock.Model was "
        f"expected: {there}"
    )


def _import(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            files = sorted(path.stem for path in Path.cwd().glob("*.py"))
            there = f"it has {quoted(files)}" if files else "it has no Python files"
            raise NotFoundError(
                f"there is no module '{name}' in '{here}'; {there}{did_you_mean(name, files)}"
            ) from None
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> FailedPreconditionError:
    """Return what to say of a module that cannot be imported; its traceback is printed."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    where = f" at line {frames[-1].lineno} of '{frames[-1].filename}'" if frames else ""
    if isinstance(error, SyntaxError):
        where = f" at line {error.lineno} of '{error.filename}'"
    sys.stderr.write("".join(traceback.format_list(frames)))
    return FailedPreconditionError(
        f"the module '{name}' cannot be imported, it raised {type(error).__name__}{where}: "
        f"{first_line(error)}"
    )
