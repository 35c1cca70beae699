"""Dataset: where rows come from, and how they become what a model is trained on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from _penstock import FailedPreconditionError, InvalidArgumentError
from penstock._app import steps
from penstock._app.declaration import Declaration, F
from penstock._app.frames import (
    as_frame,
    check_columns,
    check_has_rows,
    is_frame,
    is_frame_type,
    parse_frame,
    split_frame,
)
from penstock._app.source import filled
from penstock._app.steps import UNKNOWN, Function, Role, check_types, returned
from penstock._checks import did_you_mean, quoted
from penstock._html import facts_table
from penstock._predicting import copied

SPLIT_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}


class Dataset(Declaration):
    """Rows, and the steps from a source to what a model is trained on.

    Every step has a default for tables, so that ``Dataset("digits", source=uri,
    targets=["target"])`` alone is enough; a decorator replaces a step by a function of yours. A
    decorated function stays the function it was.

    Parameters
    ----------
    name
        Of the dataset.
    source
        A URI that ``penstock.read`` takes, or a function that returns the rows. ``{name}`` in a
        URI's query is filled with the argument of that name of ``train`` and ``predict``.
    features
        Columns that the model is given; None: all but the targets.
    targets
        Columns that it is to predict.
    test_size
        Share of the rows that is kept for the test split, or their number; 0: no test split.
    shuffle
        Whether rows are shuffled before they are split.
    random_state
        Seed of the shuffle: the split is scikit-learn's ``train_test_split``.

    Examples
    --------
    >>> customers = penstock.Dataset("customers", targets=["churned"])
    >>> @customers.reader
    ... def read(rows: int = 100) -> pd.DataFrame:
    ...     return frame.head(rows)
    >>> splits = customers.get_data(customers.read(rows=10))
    >>> {name: len(features) for name, (features, targets) in splits.items()}
    {'train': 8, 'test': 2}
    """

    _default_name = "dataset"

    def __init__(
        self,
        name: str = "dataset",
        *,
        source: str | Function | None = None,
        features: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        test_size: float = 0.2,
        shuffle: bool = True,
        random_state: int | None = 12345,
    ) -> None:
        super().__init__(name)
        self.features = _names("features", features)
        self.targets = _names("targets", targets)
        self.test_size = test_size
        self.shuffle = shuffle
        self.random_state = random_state
        self._feature_key = 0
        self._source = source if isinstance(source, str) else None
        if self._source is not None:
            self._lost.pop("reader", None)
        if source is not None and not isinstance(source, str):
            self._set(steps.READER, source, {})

    def __repr__(self) -> str:
        """Return the dataset with what the user gave to it."""
        own = [role for role in self._steps if role != "reader"]
        source = self._source or (self._steps["reader"].title if "reader" in self._steps else "?")
        told = f", own {quoted(own)}" if own else ""
        return f"Dataset('{self.name}', source {source}, targets {list(self.targets)}{told})"

    def _repr_html_(self) -> str:
        """Return the dataset as a notebook shows it."""
        facts = {
            "source": self._source or "",
            "features": ", ".join(self.features) or "all but the targets",
            "targets": ", ".join(self.targets),
            "test split": f"{self.test_size:g}",
        } | self._own_steps()
        return facts_table(f"dataset {self.name}", facts)

    # The decorators. Each may be used bare, or with options for targets that run steps elsewhere.

    @overload
    def reader(self, function: F, /) -> F: ...
    @overload
    def reader(self, /, **options: Any) -> Callable[[F], F]: ...
    def reader(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate the function that returns raw rows; its arguments are those of ``train``."""
        return self._decorate(steps.READER, function, options)

    @overload
    def loader(self, function: F, /) -> F: ...
    @overload
    def loader(self, /, **options: Any) -> Callable[[F], F]: ...
    def loader(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(raw, **options) -> data``: what the reader returns becomes a value."""
        return self._decorate(steps.LOADER, function, options)

    @overload
    def splitter(self, function: F, /) -> F: ...
    @overload
    def splitter(self, /, **options: Any) -> Callable[[F], F]: ...
    def splitter(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(data, test_size, shuffle, random_state) -> (train, test)``."""
        return self._decorate(steps.SPLITTER, function, options)

    @overload
    def parser(self, function: F, /, *, feature_key: int = 0) -> F: ...
    @overload
    def parser(self, /, *, feature_key: int = 0, **options: Any) -> Callable[[F], F]: ...
    def parser(self, function: Any = None, /, *, feature_key: int = 0, **options: Any) -> Any:
        """Decorate ``(data, features, targets) -> (features, targets)``, for one split.

        Parameters
        ----------
        feature_key
            Where the features stand in what it returns.
        """
        self._feature_key = feature_key
        return self._decorate(steps.PARSER, function, options)

    @overload
    def feature_loader(self, function: F, /) -> F: ...
    @overload
    def feature_loader(self, /, **options: Any) -> Callable[[F], F]: ...
    def feature_loader(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(given) -> features``: from what a caller of predict gives to features."""
        return self._decorate(steps.FEATURE_LOADER, function, options)

    @overload
    def feature_transformer(self, function: F, /) -> F: ...
    @overload
    def feature_transformer(self, /, **options: Any) -> Callable[[F], F]: ...
    def feature_transformer(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(features) -> features``, run once in training and once in each prediction.

        It must make the same of a row alone as among others. A fitted transformer of scikit-learn
        may stand in its place, ``dataset.feature_transformer(scaler)``: services run it without
        Python.
        """
        if hasattr(function, "transform"):
            self._set(steps.FEATURE_TRANSFORMER, function.transform, options)
            return function
        return self._decorate(steps.FEATURE_TRANSFORMER, function, options)

    def _set(self, role: Role, function: Function, options: Mapping[str, Any]) -> None:
        super()._set(role, function, options)
        if role is steps.READER:
            self._source = None

    def _check_types(self) -> None:
        """Hold what each step returns against what the next takes, as far as both are there."""
        reader, loader = self._steps.get("reader"), self._steps.get("loader")
        if reader and loader:
            check_types(reader, reader.returns, loader, 0)
        giver = loader or reader
        for role in ("splitter", "parser"):
            if giver and role in self._steps:
                check_types(giver, giver.returns, self._steps[role], 0)
        transformer = self._steps.get("feature_transformer")
        feature_loader = self._steps.get("feature_loader")
        if feature_loader and transformer:
            check_types(feature_loader, feature_loader.returns, transformer, 0)

    @property
    def data_type(self) -> Any:
        """Return the declared type of the data after loading, or ``inspect.Parameter.empty``."""
        giver = self._steps.get("loader") or self._steps.get("reader")
        return giver.returns if giver else UNKNOWN

    @property
    def has_own_feature_loader(self) -> bool:
        """Tell whether a function of the user's reads what a caller of predict gives."""
        return "feature_loader" in self._steps

    @property
    def transformer(self) -> Function | None:
        """Return the feature_transformer, or None."""
        step = self._steps.get("feature_transformer")
        return step.function if step else None

    # The steps, one after the other.

    @property
    def functions(self) -> list[Function]:
        """Return the functions that were given to it."""
        return [step.function for step in self._steps.values()]

    def read(self, **reader_kwargs: Any) -> Any:
        """Return the raw rows.

        Parameters
        ----------
        **reader_kwargs
            Arguments of the reader.

        Raises
        ------
        FailedPreconditionError
            The dataset has neither a source nor a reader.
        InvalidArgumentError
            An argument that the reader does not take, or one that it needs.
        """
        reader = self._steps.get("reader")
        if reader is not None:
            reader.check_keywords(reader_kwargs, "the call", 0)
            reader.check_required(reader_kwargs, "an argument of the call", 0)
            return returned(reader, reader.function(**reader_kwargs), "the rows")
        if self._source is None:
            raise FailedPreconditionError(
                f"the dataset '{self.name}' has no source: pass source=, or decorate a function "
                f"with @{self.name}.reader"
            )
        from penstock._table import read

        # The user's own steps may change it in place.
        return read(filled(self._source, reader_kwargs)).to_pandas(writable=True)

    def load(self, raw: Any, **loader_kwargs: Any) -> Any:
        """Return raw rows as a value in memory.

        Tables of polars, pyarrow and penstock become DataFrames; anything else passes as it is.
        """
        loader = self._steps.get("loader")
        if loader is not None:
            loader.check_keywords(loader_kwargs, "loader_kwargs", 1)
            return returned(loader, loader.function(raw, **loader_kwargs), "the data")
        if loader_kwargs:
            raise InvalidArgumentError(
                f"loader_kwargs has '{next(iter(loader_kwargs))}'; the dataset '{self.name}' has "
                f"no loader of its own to take it"
            )
        return as_frame(raw, wants_frame=is_frame_type(self.data_type))

    def split(self, data: Any, **splitter_kwargs: Any) -> dict[str, Any]:
        """Return the splits by name: "train", and where there is one "test".

        Parameters
        ----------
        **splitter_kwargs
            ``test_size``, ``shuffle``, ``random_state`` in place of the dataset's, or others that
            the splitter takes.
        """
        chosen = {
            "test_size": self.test_size,
            "shuffle": self.shuffle,
            "random_state": self.random_state,
        } | splitter_kwargs
        splitter = self._steps.get("splitter")
        if splitter is None:
            _check_known(splitter_kwargs, steps.SPLITTER.keywords, "splitter_kwargs")
            return _name_splits(split_frame(data, **chosen), "the default splitter")
        splitter.check_keywords(splitter_kwargs, "splitter_kwargs", 1)
        return _name_splits(splitter.function(data, **splitter.accepted(chosen)), splitter.title)

    def parse(self, data: Any, *, needs_targets: bool = True, **parser_kwargs: Any) -> list[Any]:
        """Return one split's features and targets, as the trainer takes them.

        Parameters
        ----------
        needs_targets
            Whether columns of targets must be there: in prediction they need not.
        **parser_kwargs
            ``features``, ``targets`` in place of the dataset's, or others that the parser takes.
        """
        chosen = {"features": self.features, "targets": self.targets} | parser_kwargs
        parser = self._steps.get("parser")
        if parser is not None:
            parser.check_keywords(parser_kwargs, "parser_kwargs", 1)
            return _as_list(parser.function(data, **parser.accepted(chosen)))
        _check_known(parser_kwargs, steps.PARSER.keywords, "parser_kwargs")
        if not is_frame(data):
            return _as_list(data) if isinstance(data, tuple) else [data]
        return parse_frame(data, chosen["features"], chosen["targets"], needs_targets)

    def get_data(
        self,
        raw: Any,
        loader_kwargs: Mapping[str, Any] | None = None,
        splitter_kwargs: Mapping[str, Any] | None = None,
        parser_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, list[Any]]:
        """Return what a model is trained on: by split, the features (transformed) and targets.

        Parameters
        ----------
        raw
            What the reader returns.
        loader_kwargs, splitter_kwargs, parser_kwargs
            Arguments of these steps.

        Raises
        ------
        InvalidArgumentError
            An argument that a step does not take, a column that is missing, no rows.
        """
        return self.transformed(self.get_parsed(raw, loader_kwargs, splitter_kwargs, parser_kwargs))

    def get_parsed(
        self,
        raw: Any,
        loader_kwargs: Mapping[str, Any] | None = None,
        splitter_kwargs: Mapping[str, Any] | None = None,
        parser_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, list[Any]]:
        """Return what ``get_data`` does, with the features as they are before the transformer."""
        data = self.load(raw, **dict(loader_kwargs or {}))
        check_has_rows(data, self.name)
        splits = self.split(data, **dict(splitter_kwargs or {}))
        return {
            name: self.parse(part, **dict(parser_kwargs or {})) for name, part in splits.items()
        }

    def transformed(self, parsed: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the parts of each split with features transformed; the given stay as they are."""
        changed = {name: list(parts) for name, parts in parsed.items()}
        for parts in changed.values():
            parts[self._feature_key] = self._transform(parts[self._feature_key])
        return changed

    def get_features(self, given: Any) -> Any:
        """Return the features for the predictor from what a caller gives: loaded, transformed.

        Parameters
        ----------
        given
            For the default: a DataFrame, records (a list of dictionaries), columns (a dictionary of
            lists), or the path of a JSON file with one of these. Targets among the columns are
            left out.
        """
        loader = self._steps.get("feature_loader")
        features = loader.function(given) if loader else self._load_features(given)
        return self._transform(features)

    def features_for_prediction(self, raw: Any, **loader_kwargs: Any) -> Any:
        """Return the features of raw rows: loaded, parsed without targets, transformed."""
        data = self.load(raw, **loader_kwargs)
        check_has_rows(data, self.name)
        parsed = self.parse(data, needs_targets=False)
        return self._transform(parsed[self._feature_key])

    @property
    def feature_key(self) -> int:
        """Return where the features stand in what the parser returns."""
        return self._feature_key

    def _transform(self, features: Any) -> Any:
        if self.transformer is None:
            return features
        # It may change what it is given, which is the caller's.
        step = self._steps["feature_transformer"]
        return returned(step, step.function(copied(features)), "the features")

    def _load_features(self, given: Any) -> Any:
        if isinstance(given, Path):
            given = _read_json(given)
        is_rows = isinstance(given, list | dict) and self._is_tabular()
        if is_rows or not isinstance(given, list | dict):
            given = as_frame(given, wants_frame=is_rows)
        if not is_frame(given):
            return given
        wanted = self.features or [c for c in given.columns if c not in self.targets]
        check_columns(given, wanted, "features")
        return given[list(wanted)]

    def _is_tabular(self) -> bool:
        reads_tables = self._source is not None or self.data_type is UNKNOWN
        return is_frame_type(self.data_type) or (reads_tables and "parser" not in self._steps)


def data_reader(
    function: Function | None = None, /, *, name: str | None = None, **settings: Any
) -> Any:
    """Decorate a function that returns rows, and get a dataset that reads by it.

    Parameters
    ----------
    name
        Of the dataset; None: the function's.
    **settings
        As ``Dataset`` takes them: ``targets``, ``features``, ``test_size``.

    Examples
    --------
    >>> @penstock.data_reader(targets=["churned"])
    ... def customers() -> pd.DataFrame:
    ...     return frame
    >>> customers
    Dataset('customers', source the reader 'customers', targets ['churned'])
    """

    def decorate(decorated: Function) -> Dataset:
        return Dataset(name or decorated.__name__, source=decorated, **settings)

    return decorate if function is None else decorate(function)


def _names(argument: str, given: Sequence[str] | None) -> list[str]:
    if isinstance(given, str):
        raise InvalidArgumentError(
            f"{argument} is '{given}'; a list of column names was expected: ['{given}']"
        )
    return list(given or [])


def _check_known(given: Mapping[str, Any], known: Sequence[str], argument: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InvalidArgumentError(
            f"{argument} has '{unknown[0]}'; the default step takes {quoted(known)}"
            f"{did_you_mean(unknown[0], known)}"
        )


def _as_list(parts: Any) -> list[Any]:
    return list(parts) if isinstance(parts, tuple | list) else [parts]


def _name_splits(parts: Any, giver: str) -> dict[str, Any]:
    if isinstance(parts, dict):
        names = list(parts)
    elif hasattr(parts, "_fields"):
        names = list(parts._fields)
    elif isinstance(parts, tuple | list) and len(parts) in SPLIT_NAMES:
        names = list(SPLIT_NAMES[len(parts)])
    else:
        count = f" of {len(parts)}" if isinstance(parts, tuple | list) else ""
        raise InvalidArgumentError(
            f"{giver} returned a {type(parts).__name__}{count}; a tuple (train, test), or "
            f"(train, validation, test), was expected"
        )
    if "train" not in names:
        raise InvalidArgumentError(f"{giver} returned the splits {quoted(names)}, without 'train'")
    values = parts.values() if isinstance(parts, dict) else parts
    return dict(zip(names, values, strict=True))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise InvalidArgumentError(f"there is no file '{path}' with features") from None
    except json.JSONDecodeError as error:
        raise InvalidArgumentError(f"'{path}' is not JSON: {error}") from error
