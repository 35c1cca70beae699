"""The user's functions: what each is called with, checked when it is decorated."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from _penstock import InvalidArgumentError
from penstock._checks import did_you_mean, quoted

Function: TypeAlias = Callable[..., Any]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
UNKNOWN = inspect.Parameter.empty


@dataclass(frozen=True)
class Role:
    """What a step is called with.

    Attributes
    ----------
    name
        As the decorator is called: "trainer".
    call
        How Penstock calls it, for messages: "trainer(model, features, targets)".
    data_min, data_max
        How many of the call's arguments are given by position; no ``data_max``: any number more.
    keywords
        Those that Penstock passes by name where the function takes them.
    """

    name: str
    call: str
    data_min: int
    data_max: int | None
    keywords: tuple[str, ...] = ()


READER = Role("reader", "reader()", 0, 0)
LOADER = Role("loader", "loader(raw)", 1, 1)
SPLITTER = Role(
    "splitter",
    "splitter(data, test_size=..., shuffle=..., random_state=...)",
    1,
    1,
    ("test_size", "shuffle", "random_state"),
)
PARSER = Role("parser", "parser(data, features=..., targets=...)", 1, 1, ("features", "targets"))
FEATURE_LOADER = Role("feature_loader", "feature_loader(features)", 1, 1)
FEATURE_TRANSFORMER = Role("feature_transformer", "feature_transformer(features)", 1, 1)
INIT = Role("init", "init(hyperparameters)", 0, None)
TRAINER = Role("trainer", "trainer(model, features, targets)", 2, None)
EVALUATOR = Role("evaluator", "evaluator(model, features, targets)", 2, None)
PREDICTOR = Role("predictor", "predictor(model, features)", 2, 2)
CALLBACK = Role("callback", "callback(model, features, predictions)", 3, 3)
SAVER = Role("saver", "saver(model_object, hyperparameters, file)", 3, None)
MODEL_LOADER = Role("loader", "loader(file)", 1, None)


def returned(step: Step, value: Any, what: str) -> Any:
    """Return what a step returned; refuse nothing, which a function without a return gives.

    Raises
    ------
    InvalidArgumentError
        Naming the step.
    """
    if value is None:
        raise InvalidArgumentError(f"{step.title} returned nothing; return {what} at its end")
    return value


@dataclass(frozen=True)
class Step:
    """A user's function in its role.

    Attributes
    ----------
    options
        What the decorator was given beside the function: resources, caching, retries. They are for
        targets that run steps on other machines.
    annotations
        The types that the function declares, by argument, "return" for what it returns; those
        that cannot be resolved are left out.
    """

    role: Role
    function: Function
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def title(self) -> str:
        """Return how messages call the step: "the trainer 'train'"."""
        return f"the {self.role.name} '{self.name}'"

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """Return the function's parameters in order."""
        return list(inspect.signature(self.function).parameters.values())

    @property
    def data_parameters(self) -> list[inspect.Parameter]:
        """Return the parameters that take data by position, the steps' keywords left out."""
        return [
            p for p in self.parameters if p.kind in _POSITIONAL and p.name not in self.role.keywords
        ]

    @property
    def takes_any_data(self) -> bool:
        """Tell whether it has ``*args``."""
        return any(p.kind == inspect.Parameter.VAR_POSITIONAL for p in self.parameters)

    @property
    def annotations(self) -> dict[str, Any]:
        """Return the declared types by argument and "return"."""
        found = {}
        for name, hint in getattr(self.function, "__annotations__", {}).items():
            try:
                found[name] = _resolved(self.function, hint)
            except Exception:
                # A name that is defined further down, or only for type checkers.
                continue
        return found

    @property
    def returns(self) -> Any:
        """Return the declared type of what it returns; ``UNKNOWN`` where there is none."""
        return self.annotations.get("return", UNKNOWN)

    def type_of(self, position: int) -> Any:
        """Return the declared type of an argument given by position, or ``UNKNOWN``."""
        parameters = self.data_parameters
        if position >= len(parameters):
            return UNKNOWN
        return self.annotations.get(parameters[position].name, UNKNOWN)

    def options_of(self, skip: int) -> dict[str, inspect.Parameter]:
        """Return what may be given by name, after the first ``skip`` arguments."""
        data = {p.name for p in self.data_parameters[:skip]}
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {p.name: p for p in self.parameters if p.kind not in variable and p.name not in data}

    @property
    def takes_any_keyword(self) -> bool:
        """Tell whether it has ``**kwargs``."""
        return any(p.kind == inspect.Parameter.VAR_KEYWORD for p in self.parameters)

    def check_keywords(self, given: Mapping[str, Any], argument: str, skip: int) -> None:
        """Refuse keywords that the function does not take.

        Parameters
        ----------
        argument
            Where they were given, for the message: "trainer_kwargs".
        skip
            How many of its arguments are data.

        Raises
        ------
        InvalidArgumentError
            Naming the keyword and what there is.
        """
        known = list(self.options_of(skip))
        unknown = [] if self.takes_any_keyword else [name for name in given if name not in known]
        if not unknown:
            return
        takes = f"it takes {quoted(known)}" if known else "it takes none"
        raise InvalidArgumentError(
            f"{argument} has '{unknown[0]}', which {self.title} does not take; {takes}"
            f"{did_you_mean(unknown[0], known)}"
        )

    def check_required(self, given: Mapping[str, Any], argument: str, skip: int) -> None:
        """Refuse a call that leaves out an argument without a default.

        Raises
        ------
        InvalidArgumentError
            Naming the argument.
        """
        missing = [
            name
            for name, parameter in self.options_of(skip).items()
            if parameter.default is inspect.Parameter.empty and name not in given
        ]
        if missing:
            raise InvalidArgumentError(
                f"{self.title} needs {quoted(missing)}, which has no default: give "
                f"{'it' if len(missing) == 1 else 'them'} as {argument}"
            )

    def accepted(self, offered: Mapping[str, Any]) -> dict[str, Any]:
        """Return those keywords that the function takes."""
        if self.takes_any_keyword:
            return dict(offered)
        names = {p.name for p in self.parameters}
        return {name: value for name, value in offered.items() if name in names}


def _resolved(function: Function, hint: Any) -> Any:
    """Return a type from its annotation, which may be text."""

    def bearer() -> None: ...

    bearer.__annotations__ = {"hint": hint}
    return typing.get_type_hints(bearer, getattr(function, "__globals__", {}))["hint"]


def step_of(role: Role, function: Function, options: Mapping[str, Any] | None = None) -> Step:
    """Return a function as a step.

    Raises
    ------
    InvalidArgumentError
        It cannot be called, or not as this role is called; the message says how to mend it.
    """
    if not callable(function):
        raise InvalidArgumentError(
            f"the {role.name} is {function!r}; a function was expected, called as {role.call}"
        )
    step = Step(role, function, dict(options or {}))
    _check_data_arguments(step)
    return step


def _check_data_arguments(step: Step) -> None:
    role = step.role
    parameters = step.data_parameters
    required = [p for p in parameters if p.default is inspect.Parameter.empty]
    if len(parameters) < role.data_min and not step.takes_any_data:
        raise InvalidArgumentError(
            f"{step.title} takes {_arguments(len(parameters))}; it is called as {role.call}: give "
            f"it an argument for each"
        )
    is_reader = role is READER  # its arguments are the user's own
    if role.data_max is not None and len(required) > role.data_max and not is_reader:
        extra = [p.name for p in required[role.data_max :]]
        raise InvalidArgumentError(
            f"{step.title} also takes {quoted(extra)}; it is called as {role.call}: give "
            f"{'it a default' if len(extra) == 1 else 'them defaults'}, or put a '*' before "
            f"{'it' if len(extra) == 1 else 'them'} and pass values by name"
        )


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'} by position"


def check_types(giver: Step, given: Any, taker: Step, position: int) -> None:
    """Refuse a step that declares another type for an argument than the step before returns.

    Raises
    ------
    InvalidArgumentError
        Naming both steps, both types, and the two ways to mend it.
    """
    wanted = taker.type_of(position)
    if are_compatible(given, wanted):
        return
    name = taker.data_parameters[position].name
    raise InvalidArgumentError(
        f"{taker.title} takes '{name}' as {type_name(wanted)}, and {giver.title} gives "
        f"{type_name(given)}; declare the same type in both"
    )


def are_compatible(given: Any, wanted: Any) -> bool:
    """Tell whether a value of one declared type may be passed where another is declared."""
    if given in (UNKNOWN, Any) or wanted in (UNKNOWN, Any) or given == wanted:
        return True
    if isinstance(given, typing.TypeVar) or isinstance(wanted, typing.TypeVar):
        return True
    if _is_union(wanted):
        return any(are_compatible(given, member) for member in typing.get_args(wanted))
    if _is_union(given):
        return any(are_compatible(member, wanted) for member in typing.get_args(given))
    plain_given = typing.get_origin(given) or given
    plain_wanted = typing.get_origin(wanted) or wanted
    if not isinstance(plain_given, type) or not isinstance(plain_wanted, type):
        return True
    return issubclass(plain_given, plain_wanted)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def type_name(hint: Any) -> str:
    """Return a type as its user writes it."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "")
