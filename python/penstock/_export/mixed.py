"""Imputers, encoders and column transformers for the own evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from penstock._checks import quoted
from penstock._columns import is_missing
from penstock._export import NotExportableError
from penstock._export.categories import add_one_hot, add_ordinal, add_target
from penstock._export.parts import keeps, places_of
from penstock._export.program import Given, Program, Step, Texts, settled, transformed
from penstock._export.scaling import add_scaler, is_scaler, scalers

Add = Callable[[Program, Any, Given], Given]


def check_transformer(transformer: Any) -> None:
    """Refuse a transformer that the evaluator does not have.

    Raises
    ------
    NotExportableError
        With its name, and those of the ones that there are.
    """
    if not any(is_known(transformer) for is_known, _ in _transformers()):
        raise NotExportableError(
            f"{type(transformer).__name__} is none of its scalers, which are "
            f"{quoted([base.__name__ for base in scalers()])}, nor of its encoders, which are "
            f"{quoted([base.__name__ for base in _encoders()])}"
        )


def add_transformer(program: Program, transformer: Any, given: Given) -> Given:
    """Add a transformer's steps and return what it gives.

    Raises
    ------
    NotExportableError
        It is none that the evaluator has, or works otherwise here than the evaluator can.
    """
    check_transformer(transformer)
    add = next(add for is_known, add in _transformers() if is_known(transformer))
    return add(program, transformer, given)


def _transformers() -> Iterator[tuple[Callable[[Any], bool], Add]]:
    yield is_scaler, add_scaler
    yield _is_pipeline, _add_pipeline
    for base, add in _encoders().items():
        yield partial(_keeps_transform, base), add
    yield _is_identity, _add_identity


def _keeps_transform(base: type, transformer: Any) -> bool:
    return keeps(transformer, base, "transform")


def _encoders() -> dict[type, Add]:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    return {
        SimpleImputer: _add_imputer,
        OneHotEncoder: add_one_hot,
        OrdinalEncoder: add_ordinal,
        TargetEncoder: add_target,
        ColumnTransformer: add_column_transformer,
    }


def _is_pipeline(transformer: Any) -> bool:
    from sklearn.pipeline import Pipeline

    return isinstance(transformer, Pipeline)


def _add_pipeline(program: Program, pipeline: Any, given: Given) -> Given:
    for _, step in pipeline.steps:
        if step is not None and not (isinstance(step, str) and step == "passthrough"):
            given = add_transformer(program, step, given)
    return given


def _is_identity(transformer: Any) -> bool:
    """Tell whether a FunctionTransformer passes on what it is given, or checks it at most."""
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils import check_array

    if isinstance(transformer, str):
        return transformer == "passthrough"
    if not keeps(transformer, FunctionTransformer, "transform", "_transform"):
        return False
    return transformer.func is None or getattr(transformer.func, "func", None) is check_array


def _add_identity(program: Program, transformer: Any, given: Given) -> Given:
    if isinstance(transformer, str):
        return given
    return Given(transformed(transformer, given.X)[0], given.texts, given.places, given.names)


def add_column_transformer(program: Program, transformer: Any, given: Given) -> Given:
    """Add a ColumnTransformer's step and return what it gives."""
    from sklearn.utils import _safe_indexing

    if transformer.transformer_weights:
        raise NotExportableError(
            f"{type(transformer).__name__} weighs what its transformers give: leave out "
            f"transformer_weights"
        )
    parts: list[Step] = []
    results: list[Given] = []
    for _, step, labels in transformer.transformers_:
        columns = places_of(transformer, labels)
        if not columns or (isinstance(step, str) and step == "drop"):
            continue
        inner = program.branch()
        X = _safe_indexing(given.X, columns, axis=1)
        result = settled(inner, add_transformer(inner, step, given.take(columns, X)))
        chosen = program.add(np.array([given.places[i] for i in columns], dtype=np.int64))
        parts.append({"columns": chosen, "steps": inner.steps})
        results.append(result)
    program.steps.append({"op": "columns", "parts": parts})
    out, _ = transformed(transformer, given.X)
    texts = tuple(each for result in results for each in result.texts)
    names = tuple(name for result in results for name in result.names)
    return Given(out, texts, tuple(range(len(texts))), names)


def _add_imputer(program: Program, imputer: Any, given: Given) -> Given:
    """Fill what is missing; columns that had no value when it was fitted are left out."""
    given = settled(program, given)
    out, dtype = transformed(imputer, given.X)
    marker = _marker_of(imputer.missing_values, dtype)
    statistics = list(imputer.statistics_)
    if any(texts is not None for texts in given.texts) and marker is not None:
        raise NotExportableError(
            f"SimpleImputer takes {imputer.missing_values!r} for missing in a column of text; only "
            f"what is not there can be filled"
        )
    kept = [
        i
        for i, value in enumerate(statistics)
        if imputer.keep_empty_features or not is_missing(value)
    ]
    fills = [_fill_of(statistics[i], given.texts[i], dtype) for i in kept]
    fill = {"op": "fill", "values": program.add(np.array(fills)), "marker": marker}
    texts, names = [given.texts[i] for i in kept], [given.names[i] for i in kept]
    parts = [_part(program, kept, [fill])]
    if imputer.add_indicator:
        flagged = [int(i) for i in imputer.indicator_.features_]
        parts.append(_part(program, flagged, [{"op": "is_missing", "marker": marker}]))
        texts += [None] * len(flagged)
        names += [f"{given.names[i]} is missing" for i in flagged]
    if len(parts) == 1 and len(kept) == given.width:
        program.steps.append(fill)
    else:
        program.steps.append({"op": "columns", "parts": parts})
    return Given(out, tuple(texts), tuple(range(len(texts))), tuple(names))


def _part(program: Program, columns: Sequence[int], steps: list[Step]) -> Step:
    return {"columns": program.add(np.array(columns, dtype=np.int64)), "steps": steps}


def _marker_of(missing_values: Any, dtype: np.dtype[Any]) -> float | None:
    """Return the number that stands for "not there"; None where NaN does."""
    if is_missing(missing_values):
        return None
    if isinstance(missing_values, str):
        raise NotExportableError(
            f"SimpleImputer takes {missing_values!r} for missing; only a number, or what is not "
            f"there, can be filled"
        )
    return _in_dtype(missing_values, dtype)


def _fill_of(value: Any, texts: Texts | None, dtype: np.dtype[Any]) -> float:
    if isinstance(value, str) != (texts is not None):
        raise NotExportableError(f"SimpleImputer fills a column with {value!r}, of another type")
    if texts is not None:
        return float(texts.code(value))
    return _in_dtype(value, dtype)


def _in_dtype(value: Any, dtype: np.dtype[Any]) -> float:
    """Return a number as rows of a dtype hold it, or are compared with."""
    return float(np.asarray(value, dtype=dtype) if dtype.kind == "f" else value)
