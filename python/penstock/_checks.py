"""Does X fit the model? Each refusal names the column, the rows, the remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from _penstock import InvalidArgumentError
from penstock._columns import missing_in
from penstock._model import ask, first_line

if TYPE_CHECKING:
    from penstock._containers import Container

NAMES_MAX = 8


def quoted(names: Sequence[str]) -> str:
    """Return "'a', 'b' and 'c'", or the first of them and how many more there are."""
    shown = [f"'{name}'" for name in names[:NAMES_MAX]]
    if len(names) > NAMES_MAX:
        return f"{', '.join(shown)} and {len(names) - NAMES_MAX} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def article(noun: str) -> str:
    """Return a noun with its article, as in "an API key"."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """Return " Did you mean 'x'?" or nothing."""
    folded = {each.casefold(): each for each in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f". Did you mean '{folded[near[0]]}'?" if near else ""


def check_columns(model: Any, container: Container) -> Container:
    """Refuse an X whose columns are not the model's, and return X under the model's names.

    Raises
    ------
    InvalidArgumentError
        X has no rows or no columns, another number of columns, unknown or missing ones, or the
        right ones in another order.
    """
    if not container.columns or not container.rows:
        raise InvalidArgumentError(
            f"X has {container.rows} rows and {len(container.columns)} columns; the rows that the "
            f"model was fitted on, or others like them, were expected"
        )
    names = getattr(model, "feature_names_in_", None)
    known = None if names is None else [str(name) for name in names]
    if known is not None and container.has_names:
        _check_names(list(container.names), known)
    width = getattr(model, "n_features_in_", None) if known is None else len(known)
    if width is not None and width != len(container.columns):
        raise InvalidArgumentError(
            f"X has {len(container.columns)} columns; the {type(model).__name__} was fitted on "
            f"{width}"
        )
    if known is not None and not container.has_names:
        return replace(container, names=tuple(known))
    return container


def _check_names(given: list[str], known: list[str]) -> None:
    missing = [name for name in known if name not in given]
    unknown = [name for name in given if name not in known]
    remedy = "pass X[model.feature_names_in_]"
    if missing:
        near = did_you_mean(missing[0], unknown)
        raise InvalidArgumentError(
            f"X has no column{'s' * (len(missing) > 1)} {quoted(missing)}, which the model was "
            f"fitted on{near}"
        )
    if unknown:
        raise InvalidArgumentError(
            f"X has column{'s' * (len(unknown) > 1)} {quoted(unknown)}, which the model was not "
            f"fitted on: {remedy}"
        )
    if given != known:
        first = next(i for i, (a, b) in enumerate(zip(given, known, strict=True)) if a != b)
        raise InvalidArgumentError(
            f"the columns of X stand in another order than those that the model was fitted on "
            f"('{given[first]}' stands where '{known[first]}' was expected): {remedy}"
        )


def check_values(model: Any, container: Container) -> None:
    """Refuse missing and infinite values that the model itself refuses.

    Such rows have no answer of the original to compare with.

    Raises
    ------
    InvalidArgumentError
        With the column and the number of rows.
    """
    for kind, find in {"NaN": missing_in, "infinity": _infinite_in}.items():
        for values, name in zip(container.columns, container.names, strict=True):
            rows = np.flatnonzero(find(values))
            if rows.size:
                _check_answers(model, container, name, kind, rows)


def _check_answers(model: Any, container: Container, name: str, kind: str, rows: Any) -> None:
    try:
        ask(model, lambda: container.take([int(rows[0])]))
    except Exception as error:
        raise InvalidArgumentError(
            f"X holds {kind} in column '{name}' ({len(rows):,} row{'s' * (len(rows) > 1)}) and the "
            f"model refuses {kind} ({first_line(error)}): leave such rows out of X, they have no "
            f"answer to compare with"
        ) from error


def _infinite_in(values: Any) -> Any:
    if getattr(values.dtype, "kind", "") == "f" and isinstance(values.dtype, np.dtype):
        return np.isinf(np.asarray(values))
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    plain = values.tolist()
    infinite = (isinstance(value, float) and math.isinf(value) for value in plain)
    return np.fromiter(infinite, dtype=bool, count=len(plain))
