"""Parity: the evidence that a native form gives the original's answers."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

from penstock._html import rows_table


@dataclass(frozen=True)
class Parity:
    """What was compared, and what differed.

    Attributes
    ----------
    rows
        On which the native answers were held against the original's.
    probes
        Rows with one value changed to a missing, infinite, huge or unseen one.
    differing
        Rows on which they differ: 0, or the form is not used. None where no form was tried.
    upper_95
        The share of all such rows that may differ, with 95 % confidence.
    report
        Everything, as ``penstock models show --json`` prints it.

    Examples
    --------
    >>> parity = penstock.load("churn").parity
    >>> parity.rows, parity.differing
    (4, 0)
    """

    rows: int
    probes: int
    differing: int | None
    upper_95: float | None
    report: dict[str, Any]

    @classmethod
    def of(cls, report: dict[str, Any]) -> Parity:
        """Return what a report says of the form that was chosen, or else of the last one tried."""
        chosen = native_form(report)
        return cls(
            rows=report["rows"],
            probes=report["probes"],
            differing=chosen.get("differing_rows"),
            upper_95=chosen.get("differing_share_upper_95"),
            report=report,
        )

    def __repr__(self) -> str:
        """Return the sentence that a version's text contains."""
        checked = f"checked on {_count(self.rows, 'row')} and {_count(self.probes, 'probe')}"
        if self.differing is None or self.upper_95 is None:
            return f"{checked}: no native form to compare"
        return f"{checked}: {self.differing:,} differ (95 %: < {_percent(self.upper_95)} %)"

    def _repr_html_(self) -> str:
        """Return the forms that were tried as a notebook shows them."""
        rows = [
            [
                form["engine"],
                "the same answers" if form["passed"] else str(form["reason"]),
                f"{form['differing_rows']:,}" if "differing_rows" in form else "",
                f"{len(form['limits']):,}" if form["limits"] else "",
            ]
            for form in self.report["candidates"]
        ]
        titles = ["engine", "outcome", "rows that differ", "limits"]
        return f"<p>{html.escape(repr(self))}</p>{rows_table(titles, rows) if rows else ''}"


def native_form(report: dict[str, Any]) -> dict[str, Any]:
    """Return what a report says of the form that passed, else was offered, else was tried last."""
    forms: list[dict[str, Any]] = report["candidates"]
    last: dict[str, Any] = forms[-1] if forms else {}
    offered = next((form for form in forms if form.get("offered")), last)
    return next((form for form in forms if form["passed"]), offered)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    """Return a share in percent, rounded up to one digit that counts."""
    percent = 100 * share
    if percent <= 0:
        return "0"
    digits = -math.floor(math.log10(percent))
    rounded = math.ceil(percent * 10**digits - 1e-9) / 10**digits
    return f"{rounded:.{max(digits, 0)}f}"
