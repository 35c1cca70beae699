"""Tables as notebooks show them: escaped, without scripts, in the colours of the page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

# Inherited colours are readable on light and dark pages alike.
_LEFT = " style='text-align:left;vertical-align:top'"
ROWS_MAX = 50


class Shown(Protocol):
    """What has a row in a table of its kind."""

    def _cells(self) -> Mapping[str, str]:
        """Return texts by the titles of their columns."""


S = TypeVar("S", bound=Shown)


class Listing(list[S]):
    """A list that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        """Return a row for each, and how many more there are."""
        if not self:
            return "<p>none</p>"
        rows = [each._cells() for each in self[:ROWS_MAX]]
        table = rows_table(list(rows[0]), [list(row.values()) for row in rows])
        more = len(self) - ROWS_MAX
        return table + (f"<p>and {more:,} more</p>" if more > 0 else "")


def rows_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a row of titles."""
    head = "".join(_cell("th", title) for title in titles)
    body = "".join(f"<tr>{''.join(_cell('td', text) for text in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts_table(title: str, facts: Mapping[str, str]) -> str:
    """Return a table of names and texts; what has no text is left out."""
    body = "".join(
        f"<tr>{_cell('th', name)}{_cell('td', text)}</tr>" for name, text in facts.items() if text
    )
    caption = f"<caption{_LEFT}>{html.escape(title)}</caption>"
    return f"<table>{caption}<tbody>{body}</tbody></table>"


def link(url: str) -> str:
    """Return an address to click on; anything but http as plain text."""
    text = html.escape(url)
    return f'<a href="{text}">{text}</a>' if url.startswith(("http://", "https://")) else text


def _cell(tag: str, text: str) -> str:
    return f"<{tag}{_LEFT}>{html.escape(text)}</{tag}>"
