"""A dataset's source: a URI whose places are filled with arguments."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from _penstock import InvalidArgumentError
from penstock._checks import did_you_mean, quoted


def filled(source: str, values: Mapping[str, Any]) -> str:
    """Return a source with its ``{name}`` places filled: numbers as they are, text as SQL's."""
    places = re.findall(r"\{(\w+)\}", source)
    unknown = [name for name in values if name not in places]
    missing = [name for name in places if name not in values]
    if unknown:
        takes = f"has places for {quoted(places)}" if places else "has no places to fill"
        raise InvalidArgumentError(
            f"'{unknown[0]}' was given, and the source '{source}' {takes}"
            f"{did_you_mean(unknown[0], places)}"
        )
    if missing:
        raise InvalidArgumentError(
            f"the source '{source}' needs a value for {quoted(missing)}: give it by name"
        )
    # As docs/reference/sources.md has it: a query without white space is percent-encoded.
    is_plain = re.search(r"\s", source) is not None
    literals = {name: _sql_literal(value) for name, value in values.items()}
    return re.sub(
        r"\{(\w+)\}",
        lambda place: literals[place[1]] if is_plain else quote(literals[place[1]]),
        source,
    )


def _sql_literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        doubled = value.replace("'", "''")
        return f"'{doubled}'"
    raise InvalidArgumentError(
        f"{value!r} cannot stand in a query; a finite number, a text or a boolean was expected"
    )
