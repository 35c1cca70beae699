"""The estimators that a model is made of: whose answers they give, which texts they know."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from penstock._export import NotExportableError

ANSWERING = ("predict", "predict_proba", "decision_function", "transform")


def parts_of(model: Any) -> Iterator[Any]:
    """Give every estimator in a model, fitted or not, the model itself first."""
    pending, seen = [model], set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if _is_estimator(value):
            yield value
            pending.extend(getattr(value, "__dict__", {}).values())
        else:
            pending.extend(_items(value))


def _is_estimator(value: Any) -> bool:
    kind = type(value)
    return not isinstance(value, type) and any(hasattr(kind, name) for name in ("fit", *ANSWERING))


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        items: Iterable[Any] = value.ravel().tolist()
        return items
    return ()


def keeps(model: Any, base: type, *methods: str) -> bool:
    """Tell whether these methods of a model are those of a base class of it."""
    return isinstance(model, base) and all(
        method not in vars(model)
        and inspect.getattr_static(type(model), method) is inspect.getattr_static(base, method)
        for method in methods
    )


def known_texts(model: Any, names: Sequence[str]) -> list[list[str]]:
    """Return, for each column, the texts that encoders in the model were fitted on."""
    known: list[set[str]] = [set() for _ in names]
    for encoder, columns in _encoders(model, len(names)):
        for column, categories in zip(columns, encoder.categories_, strict=True):
            known[column].update(value for value in categories if isinstance(value, str))
    return [sorted(texts) for texts in known]


def _encoders(model: Any, width: int) -> Iterator[tuple[Any, Sequence[int]]]:
    """Give fitted encoders with the columns of X that they have a list of categories for."""
    from sklearn.compose import ColumnTransformer

    taken = [(model, list(range(width)))]
    for part in parts_of(model):
        if isinstance(part, ColumnTransformer) and hasattr(part, "transformers_"):
            taken.extend((step, places_of(part, labels)) for _, step, labels in part.transformers_)
    for holder, columns in taken:
        for part in parts_of(holder):
            if len(getattr(part, "categories_", ())) == len(columns) > 0 and max(columns) < width:
                yield part, columns


def places_of(part: Any, labels: Any) -> list[int]:
    """Return the places of the columns that a fitted ColumnTransformer picks for a step."""
    listed = labels if isinstance(labels, slice) else np.atleast_1d(np.asarray(labels)).tolist()
    names = list(getattr(part, "feature_names_in_", ()))
    if isinstance(listed, slice):
        if isinstance(listed.start, str) or isinstance(listed.stop, str):
            # As pandas takes it: both ends belong to it.
            first = 0 if listed.start is None else names.index(listed.start)
            last = len(names) if listed.stop is None else names.index(listed.stop) + 1
            listed = slice(first, last, listed.step)
    elif all(isinstance(label, str) for label in listed):
        return [names.index(label) for label in listed]
    return [int(place) for place in np.arange(part.n_features_in_)[listed]]


def check_keeps_its_answers(model: Any) -> None:
    """Refuse a model with a part that answers otherwise than the parts in it would.

    Exporters look through pipelines and searches, into what these hold: a subclass that does more
    than pass on would be left out, and nothing but the rows at hand could tell.

    Raises
    ------
    NotExportableError
        With the names of the class and of the one it builds on.
    """
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline

    for part in parts_of(model):
        for base, remedy in (
            (BaseSearchCV, "register its best_estimator_"),
            (Pipeline, "fit a plain Pipeline"),
        ):
            if isinstance(part, base) and not keeps(part, base, *ANSWERING):
                raise NotExportableError(
                    f"{_told(part, base)} changes how {base.__name__} predicts: {remedy}"
                )
        replaced = [method for method in ANSWERING if method in getattr(part, "__dict__", {})]
        if replaced:
            raise NotExportableError(
                f"{replaced[0]} of {type(part).__name__} was replaced: leave it to the class"
            )


def _told(part: Any, base: type) -> str:
    kind = type(part)
    same = kind.__name__ == base.__name__ and kind is not base
    return f"{kind.__module__}.{kind.__qualname__}" if same else kind.__name__
