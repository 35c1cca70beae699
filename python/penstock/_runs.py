"""Runs: what was trained, of what, and how it ended."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import _penstock
from penstock._html import Listing, facts_table
from penstock._version import home_folder

if TYPE_CHECKING:
    from os import PathLike


@dataclass(frozen=True)
class Run:
    """A training, as the registry holds it.

    Attributes
    ----------
    id
        32 hex digits.
    model
        Name of the model that was trained.
    status
        "running", "finished", "failed" or "stopped".
    hyperparameters
        Those it was trained with.
    metrics
        By split, what the evaluator returned.
    origin
        Where it came from: command, arguments of the steps, code, data, git, environment.
    versions
        What was registered of it, as in ``churn@3``.
    reason, traceback
        Why it failed or stopped; empty otherwise.
    started_at, ended_at
        In UTC.

    Examples
    --------
    >>> customers = penstock.Dataset("customers", source=lambda: frame, targets=["churned"])
    >>> model = penstock.Model("churn", LogisticRegression, dataset=customers)
    >>> fitted, metrics = model.train(hyperparameters={"C": 0.5})
    >>> run = penstock.runs("churn")[0]
    >>> run.hyperparameters, run.metrics == metrics
    ({'C': 0.5}, True)
    """

    id: str
    model: str
    status: str
    hyperparameters: dict[str, Any]
    metrics: dict[str, Any]
    origin: dict[str, Any]
    versions: list[str]
    reason: str
    traceback: str
    started_at: datetime.datetime
    ended_at: datetime.datetime | None
    _home: str | None = None

    @property
    def reports(self) -> list[dict[str, Any]]:
        """Return what the trainer reported: dictionaries of step, at_us and metrics."""
        told = json.loads(_penstock.find_run(self.id, self._home))
        reports: list[dict[str, Any]] = told["reports"]
        return reports

    def __repr__(self) -> str:
        """Return the run in one line."""
        told = [f"run {self.id[:8]} of {self.model}: {self.status}"]
        if self.reason:
            told.append(self.reason)
        told += [f"{name} {_short(value)}" for name, value in _flat(self.metrics).items()]
        if self.versions:
            told.append("registered as " + ", ".join(self.versions))
        return ", ".join(told)

    def _repr_html_(self) -> str:
        """Return the run as a notebook shows it."""
        facts = {
            "status": f"{self.status}{': ' + self.reason if self.reason else ''}",
            "started": _shown(self.started_at),
            "ended": _shown(self.ended_at),
            "hyperparameters": _listed(self.hyperparameters),
            "metrics": _listed(_flat(self.metrics)),
            "versions": ", ".join(self.versions),
        }
        return facts_table(f"run {self.id[:8]} of {self.model}", facts)

    def _cells(self) -> dict[str, str]:
        return {
            "run": self.id[:8],
            "model": self.model,
            "status": self.status,
            "started": _shown(self.started_at),
            "hyperparameters": _listed(self.hyperparameters),
            "metrics": _listed(_flat(self.metrics)),
            "versions": ", ".join(self.versions),
        }


def _shown(time: datetime.datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else ""


def _flat(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics of splits as "test accuracy"; a lone metric by its split alone."""
    flat: dict[str, Any] = {}
    for split, value in metrics.items():
        named = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{split} {name}".strip(): inner for name, inner in named}
    return flat


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _time(microseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(microseconds / 1e6, tz=datetime.UTC)


def _run_of(told: str, home: str | None) -> Run:
    fields = json.loads(told)
    ended = fields["ended_at_us"]
    names = ("id", "model", "status", "hyperparameters", "metrics", "origin", "versions")
    return Run(
        **{name: fields[name] for name in (*names, "reason", "traceback")},
        started_at=_time(fields["started_at_us"]),
        ended_at=None if ended is None else _time(ended),
        _home=home,
    )


def runs(
    model: str | None = None,
    *,
    count_max: int = 100,
    home: str | PathLike[str] | None = None,
) -> Listing[Run]:
    """Return the newest trainings, the newest first.

    Parameters
    ----------
    model
        Name of a model; None: of all.
    count_max
        No more than these.
    home
        As for ``penstock.register``.

    Examples
    --------
    >>> customers = penstock.Dataset("customers", source=lambda: frame, targets=["churned"])
    >>> model = penstock.Model("churn", LogisticRegression, dataset=customers)
    >>> fitted, metrics = model.train()
    >>> penstock.runs("churn")[0].status
    'finished'
    """
    folder = home_folder(home)
    found = _penstock.runs(model or "", count_max, folder)
    return Listing(_run_of(told, folder) for told in found)
