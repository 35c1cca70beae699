"""Encoders of categories for the own evaluator: each is a table by category.

A table has a row for each category in ascending order (of texts: by the place that they have in
their column), one for a missing value, one for any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from penstock._columns import is_missing
from penstock._export import NotExportableError
from penstock._export.program import Array, Given, Program, Step, Texts, settled, transformed

UNKNOWN = -1


def table(
    categories: Sequence[Any], texts: Texts | None, entry: Callable[[int], Any]
) -> tuple[Array, list[Any]]:
    """Return the numbers that a column's categories are, ascending, and their entries.

    Parameters
    ----------
    categories
        As the encoder was fitted: texts, numbers, booleans, at most one missing value.
    texts
        Of the column; None where it holds numbers.
    entry
        Of a category, by its index; UNKNOWN for a value that is no category.

    Raises
    ------
    NotExportableError
        A category is of another type than the column.
    """
    keys: dict[float, int] = {}
    missing = UNKNOWN
    for index, category in enumerate(categories):
        if is_missing(category):
            if missing != UNKNOWN:
                raise NotExportableError("an encoder tells None from NaN, which no request can")
            missing = index
        elif isinstance(category, str) != (texts is not None):
            raise NotExportableError(
                f"an encoder has the category {category!r} for a column of another type"
            )
        else:
            keys[float(texts.code(category) if texts is not None else category)] = index
    ordered = sorted(keys)
    entries = [entry(keys[key]) for key in ordered]
    return np.array(ordered, dtype=np.float64), [*entries, entry(missing), entry(UNKNOWN)]


def add_look_up(program: Program, given: Given, tables: Sequence[tuple[Array, list[Any]]]) -> None:
    """Add a step that puts numbers in the place of each column's categories."""
    columns = []
    for keys, rows in tables:
        matrix = np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        columns.append({"keys": program.add(keys), "rows": program.add(matrix)})
    program.steps.append({"op": "look_up", "columns": columns})


def add_one_hot(program: Program, encoder: Any, given: Given) -> Given:
    """Add a OneHotEncoder's step and return what it gives."""
    given = settled(program, given)
    out, _ = transformed(encoder, given.X)
    dropped = encoder._drop_idx_after_grouping
    columns: list[Step] = []
    for i, categories in enumerate(encoder.categories_):
        group = _grouping(encoder, i)
        drop = None if dropped is None else dropped[i]

        def place(index: int, group: Any = group, drop: Any = drop) -> int:
            code = group(index)
            if drop is None or code == UNKNOWN or code < drop:
                return int(code)
            return UNKNOWN if code == drop else int(code) - 1

        keys, hot = table(categories, given.texts[i], place)
        columns.append(
            {
                "keys": program.add(keys),
                "hot": program.add(np.array(hot, dtype=np.int32)),
                "width": int(encoder._n_features_outs[i]),
            }
        )
    program.steps.append({"op": "one_hot", "columns": columns})
    return given.become(out, sum(encoder._n_features_outs))


def _grouping(encoder: Any, column: int) -> Callable[[int], int]:
    """Return which code a category has once those that are seldom are grouped."""
    if not getattr(encoder, "_infrequent_enabled", False):
        return lambda index: index
    mapping = encoder._default_to_infrequent_mappings[column]
    takes_unknown = encoder.handle_unknown in {"infrequent_if_exist", "warn"}

    def group(index: int) -> int:
        if mapping is None:
            return index
        if index != UNKNOWN:
            return int(mapping[index])
        infrequent = encoder._infrequent_indices[column]
        return int(mapping[infrequent[0]]) if takes_unknown else UNKNOWN

    return group


def add_ordinal(program: Program, encoder: Any, given: Given) -> Given:
    """Add an OrdinalEncoder's step and return what it gives."""
    given = settled(program, given)
    out, _ = transformed(encoder, given.X)
    tables = []
    for i, categories in enumerate(encoder.categories_):
        group, missing = _grouping(encoder, i), encoder._missing_indices.get(i)
        # Where unknown values are refused, none comes here.
        unknown = encoder.unknown_value if encoder.handle_unknown == "use_encoded_value" else np.nan

        def code(
            index: int, group: Any = group, missing: Any = missing, unknown: Any = unknown
        ) -> float:
            if index == UNKNOWN:
                return float(unknown)
            if index == missing:
                return float(encoder.encoded_missing_value)
            grouped = group(index)
            return float(encoder.encoded_missing_value if grouped == missing else grouped)

        tables.append(table(categories, given.texts[i], code))
    add_look_up(program, given, tables)
    return given.become(out, len(tables))


def add_target(program: Program, encoder: Any, given: Given) -> Given:
    """Add a TargetEncoder's step and return what it gives."""
    given = settled(program, given)
    out, _ = transformed(encoder, given.X)
    means = np.atleast_1d(np.asarray(encoder.target_mean_, dtype=np.float64))
    width = len(means)
    tables = []
    for i, categories in enumerate(encoder.categories_):
        encodings = encoder.encodings_[i * width : (i + 1) * width]

        def mean(index: int, encodings: Any = encodings) -> list[float]:
            if index == UNKNOWN:
                return [float(each) for each in means]
            return [float(encoding[index]) for encoding in encodings]

        tables.append(table(categories, given.texts[i], mean))
    add_look_up(program, given, tables)
    return given.become(out, width * len(tables))
