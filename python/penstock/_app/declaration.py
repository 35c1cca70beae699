"""What Dataset and Model share: steps that the user gives by decorators."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar
from weakref import WeakValueDictionary

from _penstock import InvalidArgumentError
from penstock._app.steps import Function, Role, Step, step_of
from penstock._cells import cell, is_called_from_cell

F = TypeVar("F", bound=Callable[..., Any])
_log = logging.getLogger("penstock")

# What cells of this notebook declared last, by kind and name: running a cell again replaces.
_of_cells: WeakValueDictionary[tuple[str, str], Declaration] = WeakValueDictionary()


class Declaration:
    """A name, and the steps that the user gave to it so far."""

    # Of those to which no name was given: two of them are not one.
    _default_name: ClassVar[str] = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: dict[str, Step] = {}
        self._lost: dict[str, str] = {}
        here = cell() if name != self._default_name else None
        self._execution = None if here is None else here.execution
        self._disagreement: InvalidArgumentError | None = None
        if self._execution is not None:
            self._replace()

    def _replace(self) -> None:
        """Take the place of the one of this name that a cell declared before."""
        key = (type(self).__name__, self.name)
        before = _of_cells.get(key)
        if before is not None and before._execution != self._execution:
            self._lost = before._lost | {role: each.title for role, each in before._steps.items()}
        _of_cells[key] = self

    def _newest(self) -> Self:
        """Return this, or what replaced it when its cell was run again."""
        newest = (
            _of_cells.get((type(self).__name__, self.name)) if self._execution is not None else None
        )
        # Two that one execution made, as a function that is called twice does, are two.
        if not isinstance(newest, type(self)) or newest._execution == self._execution:
            return self
        return newest

    def _settle(self) -> None:
        """Before a training: tell what running cells again left apart.

        Raises
        ------
        InvalidArgumentError
            Two steps declare types that do not agree.
        """
        if self._disagreement is not None:
            self._check_types()
            self._disagreement = None
        if self._lost:
            _log.warning(
                "the %s '%s' was made again: %s of the one before is not on it; run that cell "
                "again if it is to be used",
                type(self).__name__,
                self.name,
                " and ".join(self._lost.values()),
            )
            self._lost = {}

    def _own_steps(self) -> dict[str, str]:
        """Return the names of the user's functions, by the steps that they are."""
        return {f"own {role}": each.name for role, each in self._steps.items()}

    def _decorate(self, role: Role, function: Any, options: Mapping[str, Any]) -> Any:
        """Set a step to a function, and give it back; without one, return the decorator."""

        def decorate(decorated: F) -> F:
            self._set(role, decorated, options)
            return decorated

        return decorate if function is None else decorate(function)

    def _set(self, role: Role, function: Function, options: Mapping[str, Any]) -> None:
        """Set a step, or leave all as it was where it does not fit.

        A cell that is run again replaces the step, though it does not agree with the others yet.

        Raises
        ------
        InvalidArgumentError
            It cannot be called as its role is, or declares other types than the steps beside it.
        """
        before = dict(self._steps)
        self._steps[role.name] = step_of(role, function, options)
        self._lost.pop(role.name, None)
        try:
            self._check_types()
        except InvalidArgumentError as error:
            if role.name in before and is_called_from_cell():
                # The cell of the other step may be next to be run again; a training settles it.
                self._disagreement = error
                _log.warning("%s; what other cells define is looked at before a training", error)
                return
            self._steps = before
            raise

    def _check_types(self) -> None:
        """Hold the types that the steps declare against each other, as far as they are there."""
        raise NotImplementedError
