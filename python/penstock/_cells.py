"""Notebooks: which cell is run, and whether it is run again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

_OURS = str(Path(__file__).parent)


class Cell(NamedTuple):
    """A cell of a notebook as it is run.

    Attributes
    ----------
    name
        The front end's id of the cell, which outlives changes of its text; without one, the text.
    execution
        The kernel's count of executions.
    """

    name: str
    execution: int

    def runs_again(self, before: Cell) -> bool:
        """Tell whether this is the cell of an execution before."""
        return self.name == before.name and self.execution != before.execution


def shell() -> Any:
    """Return the IPython shell that this process runs, or None. IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    get = getattr(ipython, "get_ipython", None)
    return get() if get is not None else None


def is_called_from_cell() -> bool:
    """Tell whether what called Penstock stands in a cell, and not in a module."""
    notebook = shell()
    if notebook is None:
        return False
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame.f_globals is getattr(notebook, "user_ns", None) or (
        frame.f_globals.get("__name__") == "__main__"
    )


def cell() -> Cell | None:
    """Return the cell that calls, or None where no cell does."""
    if not is_called_from_cell():
        return None
    notebook = shell()
    count = int(getattr(notebook, "execution_count", 0))
    return Cell(_id_of_cell(notebook) or _text_of_cell(notebook), count)


def _id_of_cell(notebook: Any) -> str:
    """Return the id that came with the request to run the cell, where the front end sends one."""
    try:
        return str(notebook.get_parent()["metadata"].get("cellId") or "")
    except (AttributeError, KeyError, LookupError, TypeError):
        return ""


def _text_of_cell(notebook: Any) -> str:
    texts = getattr(notebook, "user_ns", {}).get("In", [""])
    return str(texts[-1]) if texts else ""
