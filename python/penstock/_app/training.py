"""Between the steps of a training: how many parts, in which order, which metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from _penstock import FailedPreconditionError, InvalidArgumentError
from penstock._app.steps import Step
from penstock._checks import did_you_mean
from penstock._extras import needed_for


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
    """Return a metric; refuse nothing and NaN.

    Raises
    ------
    InvalidArgumentError
        Naming the split, and the metric where it has a name.
    """
    named = metric.items() if isinstance(metric, Mapping) else [("", metric)]
    for name, value in named:
        told = f"'{name}' " if name else ""
        if value is None:
            raise InvalidArgumentError(
                f"{giver} returned nothing {told}for the split '{split}'; return a number"
            )
        if isinstance(value, float) and math.isnan(value):
            raise InvalidArgumentError(
                f"{giver} returned {told}NaN for the split '{split}', which compares with nothing; "
                f"look for missing values in the predictions"
            )
    return metric


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
    import numpy as np

    with needed_for("registering a Model"):
        import pandas as pd

    if all(isinstance(part, pd.DataFrame) for part in features):
        return pd.concat(features)
    return np.concatenate([np.asarray(part) for part in features])
