"""The signature of a model as JSON: what it takes, what it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock._model import Answers

Array: TypeAlias = np.ndarray[Any, Any]


def signature_json(
    names: Sequence[str],
    types: Sequence[str],
    has_column_names: bool,
    answers: Answers,
    output: dict[str, Any] | None = None,
) -> str:
    """Return the signature as the engine reads it. What the model refuses is filled in there."""
    inputs = [
        {"name": name, "type": type_name, "allows_missing": True, "allows_infinity": True}
        for name, type_name in zip(names, types, strict=True)
    ]
    signature = {
        "task": answers.task,
        "has_column_names": has_column_names,
        "inputs": inputs,
        "classes": _classes(answers),
        "has_probabilities": answers.has_probabilities,
        "prediction": {
            "type": answers.prediction_type,
            "width": answers.prediction_width,
            "dtype": answers.prediction_dtype,
        },
    }
    return json.dumps(signature if output is None else signature | {"output": output})


def _classes(answers: Answers) -> dict[str, Any] | None:
    if answers.classes is None:
        return None
    type_name = "float64" if answers.classes_type == "float32" else answers.classes_type
    return {"type": type_name, "labels": answers.classes.tolist()}


def labels_of(signature: dict[str, Any]) -> Array | None:
    """Return the classes in the dtype in which the original predicts them, if there are any."""
    classes = signature["classes"]
    if classes is None:
        return None
    labels, dtype = classes["labels"], np.dtype(signature["prediction"]["dtype"])
    if dtype.kind != "O":
        return np.array(labels, dtype=dtype)
    objects = np.empty(len(labels), dtype=object)
    objects[:] = labels
    return objects
