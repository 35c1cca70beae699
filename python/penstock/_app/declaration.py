"""What Dataset and Model share: steps that the user gives by decorators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from _penstock import InvalidArgumentError
from penstock._app.steps import Function, Role, Step, step_of

F = TypeVar("F", bound=Callable[..., Any])


class Declaration:
    """A name, and the steps that the user gave to it so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: dict[str, Step] = {}

    def _decorate(self, role: Role, function: Any, options: Mapping[str, Any]) -> Any:
        """Set a step to a function, and give it back; without one, return the decorator."""

        def decorate(decorated: F) -> F:
            self._set(role, decorated, options)
            return decorated

        return decorate if function is None else decorate(function)

    def _set(self, role: Role, function: Function, options: Mapping[str, Any]) -> None:
        """Set a step, or leave all as it was where it does not fit.

        Raises
        ------
        InvalidArgumentError
            It cannot be called as its role is, or declares other types than the steps beside it.
        """
        before = dict(self._steps)
        self._steps[role.name] = step_of(role, function, options)
        try:
            self._check_types()
        except InvalidArgumentError:
            self._steps = before
            raise

    def _check_types(self) -> None:
        """Hold the types that the steps declare against each other, as far as they are there."""
        raise NotImplementedError
