"""Hyperparameters: their names, types and defaults, and the values of one training."""

from __future__ import annotations

import dataclasses
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from _penstock import InvalidArgumentError
from penstock._app.ranges import Range, split_hint
from penstock._app.steps import UNKNOWN, are_compatible, type_name
from penstock._checks import did_you_mean, quoted
from penstock._model import first_line

REQUIRED = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter: its declared type, or ``UNKNOWN``; its default, or ``REQUIRED``; the
    range or the choices that it has.
    """

    name: str
    type: Any = UNKNOWN
    default: Any = REQUIRED
    range: Range | None = None
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, hint: Any, default: Any = REQUIRED) -> Hyperparameter:
        """Return what a declared type says, with ``Annotated[float, Range(0, 1)]`` and Literal.

        Raises
        ------
        InvalidArgumentError
            The default is none of its values.
        """
        kind, limits, choices = split_hint(hint)
        made = cls(name, kind, default, limits, choices)
        if default is not REQUIRED and default is not None:
            made.check_limits(default)
        return made

    def check_limits(self, value: Any) -> None:
        """Refuse a value outside the range, or that is none of the choices."""
        expected = ""
        if value is None and type(None) in typing.get_args(self.type):
            return
        if self.range is not None and value not in self.range:
            expected = f"{self.range} was expected"
        elif self.choices and value not in self.choices:
            expected = f"one of {quoted([str(each) for each in self.choices])} was expected"
        if expected:
            raise InvalidArgumentError(f"hyperparameter '{self.name}' is {value!r}; {expected}")


class HyperparameterSpace:
    """The hyperparameters that a model takes. Immutable: no call changes what the next may give.

    They come from, in this order: a dataclass or dictionary that the user gave; the signature of
    what makes the untrained model. A function of one ``dict`` takes any.
    """

    def __init__(
        self,
        init: Callable[..., Any] | None,
        config: Mapping[str, Any] | type | None,
    ) -> None:
        self._is_open = init is None or _takes_one_dict(init)
        self._known = _of_signature(init) if init is not None and not self._is_open else {}
        if config is not None:
            self._declare(config)

    def _declare(self, config: Mapping[str, Any] | type) -> None:
        declared = _of_config(config)
        unknown = [name for name in declared if self._known and name not in self._known]
        if unknown and not self._is_open:
            raise InvalidArgumentError(
                f"hyperparameters names '{unknown[0]}', which the model's init does not take; it "
                f"takes {quoted(list(self._known))}{did_you_mean(unknown[0], list(self._known))}"
            )
        self._known = self._known | {
            name: _with_default(given, self._known.get(name)) for name, given in declared.items()
        }
        self._is_open = False

    @property
    def known(self) -> dict[str, Hyperparameter]:
        """Return the hyperparameters by name; empty where any may be given."""
        return dict(self._known)

    def as_dataclass(self) -> type:
        """Return a dataclass of the hyperparameters, with their types and defaults."""
        fields: list[Any] = []
        for each in self._known.values():
            hint = Any if each.type is UNKNOWN else each.type
            has_default = each.default is not REQUIRED
            made = _field(each.default)
            fields.append((each.name, hint, made) if has_default else (each.name, hint))
        return dataclasses.make_dataclass("Hyperparameters", fields, kw_only=True)

    def resolve(self, given: Any) -> dict[str, Any]:
        """Return the values for one training: those given, checked.

        Parameters
        ----------
        given
            A dictionary, an instance of a dataclass, or None.

        Raises
        ------
        InvalidArgumentError
            A name that is not known, a value of another type, or a required one that is missing.
        """
        values = _as_dict(given)
        if not self._is_open:
            for name, value in values.items():
                self._check(name, value)
        missing = [
            p.name for p in self._known.values() if p.default is REQUIRED and p.name not in values
        ]
        if missing:
            raise InvalidArgumentError(
                f"hyperparameters lacks {quoted(missing)}, which "
                f"{'has' if len(missing) == 1 else 'have'} no default"
            )
        for name, value in values.items():
            wanted = self._known[name].type if name in self._known else UNKNOWN
            values[name] = (
                float(value) if wanted is float and isinstance(value, numbers.Integral) else value
            )
        return values

    def _check(self, name: str, value: Any) -> None:
        if name not in self._known:
            names = list(self._known)
            raise InvalidArgumentError(
                f"hyperparameters has '{name}', which the model does not take; it takes "
                f"{quoted(names) if names else 'none'}{did_you_mean(name, names)}"
            )
        wanted = self._known[name].type
        if not _is_value_of(value, wanted):
            raise InvalidArgumentError(
                f"hyperparameter '{name}' is {value!r}, of type {type(value).__name__}; "
                f"{type_name(wanted)} was expected"
            )
        self._known[name].check_limits(value)


def make_untrained(init: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Return the untrained model for these hyperparameters.

    Raises
    ------
    InvalidArgumentError
        scikit-learn says that a value is outside its range; the message is its own.
    """
    model = init(dict(values)) if _takes_one_dict(init) else init(**values)
    validate = getattr(model, "_validate_params", None)
    if validate is not None and type(model).__module__.startswith("sklearn."):
        try:
            validate()
        except (ValueError, TypeError) as error:
            told = first_line(error)
            raise InvalidArgumentError(f"a hyperparameter is out of range: {told}") from error
    return model


def _takes_one_dict(init: Callable[..., Any]) -> bool:
    parameters = _parameters(init)
    if len(parameters) != 1:
        return False
    (parameter,) = parameters
    hint = _hints(init).get(parameter.name, UNKNOWN)
    origin = typing.get_origin(hint) or hint
    is_dict = isinstance(origin, type) and issubclass(origin, Mapping)
    return is_dict or (hint is UNKNOWN and parameter.name == "hyperparameters")


def _parameters(init: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(init).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.name != "self"]


def _hints(init: Callable[..., Any]) -> dict[str, Any]:
    function = init.__init__ if isinstance(init, type) else init  # type: ignore[misc]
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:
        return {}


def _of_signature(init: Callable[..., Any]) -> dict[str, Hyperparameter]:
    hints = _hints(init)
    found = {}
    for parameter in _parameters(init):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        hint = hints.get(parameter.name, UNKNOWN)
        found[parameter.name] = Hyperparameter.of(parameter.name, hint, default)
    return found


def _of_config(config: Mapping[str, Any] | type) -> dict[str, Hyperparameter]:
    if dataclasses.is_dataclass(config):
        hints = typing.get_type_hints(config, include_extras=True)
        return {
            f.name: Hyperparameter.of(f.name, hints.get(f.name, UNKNOWN), _default_of(f))
            for f in dataclasses.fields(config)
        }
    if not isinstance(config, Mapping):
        raise InvalidArgumentError(
            f"hyperparameters is {config!r}; a dataclass, or a dictionary of names with their "
            f"types or default values, was expected"
        )
    return {
        name: Hyperparameter.of(name, value)
        if isinstance(value, type | Range) or typing.get_origin(value) is not None
        else Hyperparameter(name, UNKNOWN if value is None else type(value), value)
        for name, value in config.items()
    }


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    factory = field.default_factory
    return factory() if factory is not dataclasses.MISSING else REQUIRED


def _with_default(given: Hyperparameter, known: Hyperparameter | None) -> Hyperparameter:
    """Return what was declared, with the default that the model itself has where there is none."""
    if given.default is not REQUIRED or known is None:
        return given
    made = dataclasses.replace(given, default=known.default)
    if made.default is not REQUIRED and made.default is not None:
        made.check_limits(made.default)
    return made


def _as_dict(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    if isinstance(given, Mapping):
        return dict(given)
    raise InvalidArgumentError(
        f"hyperparameters is {given!r}; a dictionary or an instance of a dataclass was expected"
    )


def _is_value_of(value: Any, wanted: Any) -> bool:
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return any(_is_value_of(value, each) for each in typing.get_args(wanted))
    if wanted is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return are_compatible(type(value), wanted)


def _field(default: Any) -> Any:
    return dataclasses.field(default_factory=lambda: default)
