"""Between the steps of a training: how many parts, in which order, which metrics."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from _penstock import FailedPreconditionError, InvalidArgumentError
from penstock._app.steps import Step
from penstock._checks import did_you_mean
from penstock._columns import is_missing
from penstock._extras import needed_for
from penstock._predicting import name_of

ALONE_ROWS_MAX = 20


def data_count(step: Step) -> int:
    """Return how many of a step's arguments are data: those by position without a default."""
    return len([p for p in step.data_parameters if p.default is p.empty])


def check_part_count(step: Step, parts: Sequence[Any]) -> None:
    """Refuse a step that takes another number of parts than the parser gives."""
    wanted = data_count(step) - 1
    if step.takes_any_data or wanted == len(parts):
        return
    by_position = len(step.data_parameters) - 1
    if wanted <= len(parts) <= by_position:
        return
    raise InvalidArgumentError(
        f"{step.title} takes {wanted} parts of data after the model; the dataset's parser gives "
        f"{len(parts)}: give the function an argument for each"
    )


def fit_default(name: str, model: Any, parts: Sequence[Any], feature_key: int) -> Any:
    """Return a model fitted as scikit-learn does it."""
    if not hasattr(model, "fit"):
        raise FailedPreconditionError(
            f"a {type(model).__name__} has no fit, so the model '{name}' needs a trainer: decorate "
            f"a function with @model.trainer"
        )
    model.fit(*sklearn_order(parts, feature_key))
    return model


def sklearn_order(parts: Sequence[Any], feature_key: int) -> list[Any]:
    """Return features, and targets where there are any, one-dimensional where there is one."""
    rest = [part for i, part in enumerate(parts) if i != feature_key]
    targets = [
        part.iloc[:, 0] if getattr(part, "ndim", 0) == 2 and part.shape[1] == 1 else part
        for part in rest
        if getattr(part, "shape", (1, 1))[-1] != 0
    ]
    return [parts[feature_key], *targets]


def checked_metric(metric: Any, giver: str, split: str) -> Any:
    """Return a metric, a number or numbers by name, as Python's own; refuse all else, and NaN.

    Raises
    ------
    InvalidArgumentError
        Naming the split, and the metric where it has a name.
    """
    return _checked(metric, "", giver, split)


def _checked(value: Any, name: str, giver: str, split: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _checked(each, f"'{key}' ", giver, split) for key, each in value.items()}
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None:
        raise InvalidArgumentError(
            f"{giver} returned nothing {name}for the split '{split}'; return a number"
        )
    if not isinstance(value, numbers.Real):
        raise InvalidArgumentError(
            f"{giver} returned {name}as a {type(value).__name__} for the split '{split}'; a "
            f"number, or numbers by name, was expected"
        )
    if math.isnan(value):
        raise InvalidArgumentError(
            f"{giver} returned {name}NaN for the split '{split}', which compares with nothing; "
            f"look for missing values in the predictions, and for a class that the split lacks"
        )
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def as_trained(fitted: Any, features: Any) -> Any:
    """Return features as the model was fitted on them: a DataFrame's columns in that order.

    Raises
    ------
    InvalidArgumentError
        There are no rows, or other columns than in training.
    """
    if hasattr(features, "__len__") and len(features) == 0:
        raise InvalidArgumentError("features has no rows; one or more were expected")
    names = getattr(fitted, "feature_names_in_", None)
    columns = getattr(features, "columns", None)
    if names is None or columns is None or list(columns) == list(names):
        return features
    known, given = [str(name) for name in names], [str(column) for column in columns]
    missing = [name for name in known if name not in given]
    unknown = [name for name in given if name not in known]
    if missing:
        raise InvalidArgumentError(
            f"features has no column '{missing[0]}', which the model was trained on"
            f"{did_you_mean(missing[0], unknown)}"
        )
    if unknown:
        raise InvalidArgumentError(
            f"features has the column '{unknown[0]}', which the model was not trained on"
        )
    return features[list(names)]


def joined(features: Sequence[Any]) -> Any:
    """Return the rows of all splits as one table or array."""
    with needed_for("registering a Model"):
        import pandas as pd

    if all(isinstance(part, pd.DataFrame) for part in features):
        return pd.concat(features)
    return np.concatenate([np.asarray(part) for part in features])


def check_rows_stand_alone(transformer: Callable[[Any], Any], rows: Any) -> None:
    """Refuse a transformer that makes other features of a row alone than among others.

    A service gets rows one by one: such a model would answer otherwise than it was trained.

    Raises
    ------
    InvalidArgumentError
        Naming the row, and the values of the first feature that differs.
    """
    count = min(ALONE_ROWS_MAX, len(rows))
    chosen = [len(rows) * i // count for i in range(count)]
    together = _as_array(transformer(_take(rows, chosen)))
    if together is None:
        return
    if len(together) != count:
        raise InvalidArgumentError(
            f"the feature_transformer '{name_of(transformer)}' makes {len(together)} rows of "
            f"{count}; a service answers every row: let it keep them all"
        )
    for place, row in enumerate(chosen):
        alone = _as_array(transformer(_take(rows, [row])))
        told = "another number of features"
        if alone is not None and alone.shape == (1, *together.shape[1:]):
            pair = zip(alone.ravel(), together[place : place + 1].ravel(), strict=True)
            found = next(((a, b) for a, b in pair if not _are_equal(a, b)), None)
            if found is None:
                continue
            told = f"{found[0]!s} in place of {found[1]!s}"
        raise InvalidArgumentError(
            f"the feature_transformer '{name_of(transformer)}' makes {told} of row {row} when it "
            f"comes alone; a service gets rows alone: put what is learned of many rows into the "
            f"model, as a pipeline of scikit-learn does"
        )


def _take(rows: Any, chosen: list[int]) -> Any:
    taken = rows.iloc[chosen] if hasattr(rows, "iloc") else np.asarray(rows)[chosen]
    return taken.copy()


def _as_array(features: Any) -> Any:
    """Return tables and arrays as an array; None of anything else."""
    if hasattr(features, "toarray"):
        return features.toarray()
    if not hasattr(features, "shape") and not isinstance(features, list):
        return None
    array = np.asarray(features)
    return array if array.ndim else None


def _are_equal(a: Any, b: Any) -> bool:
    if isinstance(a, float | np.floating) and isinstance(b, float | np.floating):
        return bool(np.isclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True))
    return bool(a == b) or bool(is_missing(a) and is_missing(b))
