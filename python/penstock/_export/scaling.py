"""Scalers for the own evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from penstock._export import NotExportableError
from penstock._export.parts import keeps
from penstock._export.program import (
    Given,
    Program,
    Step,
    check_float,
    check_numbers,
    settled,
    transformed,
)


def scalers() -> dict[type, Callable[[Program, Any, Any], None]]:
    """Return, for each scaler, what adds its step."""
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    return {
        StandardScaler: _add_standard,
        MinMaxScaler: _add_min_max,
        MaxAbsScaler: _add_max_abs,
        RobustScaler: _add_robust,
    }


def is_scaler(transformer: Any) -> bool:
    """Tell whether a transformer scales as scikit-learn's own does."""
    return any(keeps(transformer, base, "transform") for base in scalers())


def add_scaler(program: Program, scaler: Any, given: Given) -> Given:
    """Add a scaler's step and return what it gives."""
    check_numbers(scaler, given)
    given = settled(program, given)
    scaled, dtype = transformed(scaler, given.X)
    check_float(dtype, scaler)
    add = next(add for base, add in scalers().items() if isinstance(scaler, base))
    before = len(program.steps)
    add(program, scaler, dtype)
    for step in program.steps[before:]:
        step["dtype"] = dtype.name
    return Given(scaled, given.texts, given.places, given.names)


def _add_standard(program: Program, scaler: Any, dtype: Any) -> None:
    center = program.add(scaler.mean_.astype(dtype)) if scaler.with_mean else None
    scale = program.add(scaler.scale_.astype(dtype)) if scaler.with_std else None
    program.steps.append({"op": "scale", "center": center, "scale": scale})


def _add_robust(program: Program, scaler: Any, dtype: Any) -> None:
    center = program.add(scaler.center_) if scaler.with_centering else None
    scale = program.add(scaler.scale_) if scaler.with_scaling else None
    program.steps.append({"op": "scale", "center": center, "scale": scale})


def _add_max_abs(program: Program, scaler: Any, dtype: Any) -> None:
    if getattr(scaler, "clip", False):
        raise NotExportableError("MaxAbsScaler clips here, which its step cannot: set clip=False")
    program.steps.append({"op": "scale", "center": None, "scale": program.add(scaler.scale_)})


def _add_min_max(program: Program, scaler: Any, dtype: Any) -> None:
    step: Step = {
        "op": "affine",
        "scale": program.add(scaler.scale_),
        "offset": program.add(scaler.min_),
    }
    if scaler.clip:
        step["clip"] = [float(np.asarray(bound, dtype=dtype)) for bound in scaler.feature_range]
    program.steps.append(step)
