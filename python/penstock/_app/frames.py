"""The default steps, for DataFrames and what becomes one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from _penstock import InvalidArgumentError
from penstock._checks import did_you_mean, quoted
from penstock._extras import needed_for

if TYPE_CHECKING:
    import pandas as pd


def is_frame_type(hint: Any) -> bool:
    return isinstance(hint, type) and (hint.__module__.split(".")[0], hint.__name__) == (
        "pandas",
        "DataFrame",
    )


def is_frame(value: Any) -> bool:
    return is_frame_type(type(value))


def as_frame(value: Any, *, wants_frame: bool) -> Any:
    """Return tables as DataFrames, and anything that should be one; everything else as it is."""
    with needed_for("a default step of Dataset"):
        import pandas as pd

    if is_frame(value):
        return value
    library = type(value).__module__.split(".")[0]
    if hasattr(value, "to_pandas") and library in {"pyarrow", "polars", "penstock"}:
        return value.to_pandas(writable=True) if library == "penstock" else value.to_pandas()
    if not wants_frame:
        return value
    try:
        return pd.DataFrame([value] if _is_record(value) else value)
    except (ValueError, TypeError) as error:
        raise InvalidArgumentError(
            f"a value of type {type(value).__name__} cannot become a DataFrame: {error}"
        ) from error


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and not any(
        isinstance(member, list | tuple | dict) for member in value.values()
    )


def split_frame(data: Any, test_size: float, shuffle: bool, random_state: int | None) -> Any:
    with needed_for("the default splitter"):
        from sklearn.model_selection import train_test_split

    if not is_frame(data) or not test_size:
        return (data,)
    try:
        return train_test_split(
            data,
            test_size=test_size,
            shuffle=shuffle,
            random_state=random_state if shuffle else None,
        )
    except ValueError as error:
        raise InvalidArgumentError(
            f"{len(data)} rows cannot be split with test_size={test_size}: {error}"
        ) from error


def parse_frame(
    data: pd.DataFrame, features: Sequence[str], targets: Sequence[str], needs_targets: bool
) -> list[Any]:
    if needs_targets:
        check_columns(data, targets, "targets")
    given = [target for target in targets if target in data.columns]
    chosen = list(features) or [c for c in data.columns if c not in targets]
    check_columns(data, chosen, "features")
    return [data[chosen], data[given]]


def check_columns(data: pd.DataFrame, wanted: Sequence[str], argument: str) -> None:
    columns = [str(column) for column in data.columns]
    missing = [name for name in wanted if name not in data.columns]
    if missing:
        raise InvalidArgumentError(
            f"{argument} names the column '{missing[0]}', which the data does not have; it has "
            f"{quoted(columns)}{did_you_mean(str(missing[0]), columns)}"
        )


def check_has_rows(data: Any, name: str) -> None:
    try:
        rows = len(data)
    except TypeError:
        return
    if rows == 0:
        raise InvalidArgumentError(
            f"the dataset '{name}' has no rows; look at what its reader returns"
        )


def check_targets(
    parsed: Mapping[str, Sequence[Any]], feature_key: int, *, fits_itself: bool
) -> None:
    """Refuse targets that are all null, and warn of classes that one split has alone.

    Where the model fits itself, without a trainer of the user's, one null is too many.

    Raises
    ------
    InvalidArgumentError
        Naming the column.
    """
    for parts in parsed.values():
        for key, part in enumerate(parts):
            if key == feature_key or not is_frame(part):
                continue
            for column in part.columns:
                nulls = int(part[column].isna().sum())
                if nulls and nulls == len(part):
                    raise InvalidArgumentError(
                        f"the target '{column}' has no values, all {len(part)} are null"
                    )
                if nulls and fits_itself:
                    raise InvalidArgumentError(
                        f"the target '{column}' has {nulls} nulls in {len(part)} rows: leave these "
                        f"rows out in the reader or the loader, or fill them"
                    )
    _warn_of_missing_classes(parsed, feature_key)


def _warn_of_missing_classes(parsed: Mapping[str, Sequence[Any]], feature_key: int) -> None:
    if not {"train", "test"} <= parsed.keys() or len(parsed["train"]) != 2:
        return
    train, test = (parsed[name][1 - feature_key] for name in ("train", "test"))
    if not is_frame(train) or not is_frame(test):
        return
    for column in train.columns:
        if train[column].dtype.kind == "f" or column not in test.columns:
            continue
        alone = sorted(set(test[column].dropna()) - set(train[column].dropna()), key=str)
        if alone:
            warnings.warn(
                f"the class {alone[0]!r} of '{column}' is in the test split alone, so the model "
                f"cannot have learnt it: take more rows, or split so that each class is in both",
                stacklevel=4,
            )
