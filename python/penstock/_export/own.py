"""Forms for the own evaluator: what a model is made of, step by step.

Each step repeats the estimator's own arithmetic, so an estimator is taken only when the methods
that do this arithmetic are its library's own, not a subclass's.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from _penstock import own_evaluator
from penstock._export import NotExportableError, Subject, encoding, tensor
from penstock._export.boosting import (
    add_gradient_boosting,
    add_hist_gradient_boosting,
    is_gradient_boosting,
    is_hist_gradient_boosting,
)
from penstock._export.lightgbm_trees import add_lightgbm, is_lightgbm
from penstock._export.linear import (
    add_linear_classifier,
    add_linear_regressor,
    is_linear_classifier,
    is_linear_regressor,
)
from penstock._export.mixed import add_transformer, check_transformer
from penstock._export.parts import check_keeps_its_answers
from penstock._export.program import Given, Program, begin, check_numbers, settled
from penstock._export.trees import add_forest, is_tree_model
from penstock._export.xgboost_trees import add_xgboost, is_xgboost

if TYPE_CHECKING:
    from _penstock import Candidate

FILE = "evaluator.safetensors"


def own_candidate(subject: Subject) -> Candidate:
    """Return the model's form for the own evaluator.

    Raises
    ------
    NotExportableError
        A part of the model is not one that the evaluator has.
    """
    if subject.container.kind == "text":
        raise NotExportableError("X is a row of texts, and it takes columns")
    check_keeps_its_answers(subject.model)
    *transformers, final = steps_of(subject.model)
    for transformer in transformers:
        check_transformer(transformer)
    if not any(is_known(final) for is_known, _ in _finals()):
        raise NotExportableError(_unknown(final))
    program = Program()
    given, texts = begin(program, subject)
    for transformer in transformers:
        given = add_transformer(program, transformer, given)
    precision = _add_final(program, final, given, subject)
    if program.steps[0]["op"] == "text":
        program.steps[0]["texts"] = [list(each.known) for each in texts if each is not None]
    return {
        "kind": "own",
        "file": FILE,
        "bytes": own_evaluator(json.dumps(program.steps), program.arrays),
        "precision": precision,
        "encoding_json": encoding(_tensors(subject)),
        "options_json": "{}",
    }


def _tensors(subject: Subject) -> list[dict[str, Any]]:
    texts = [i for i, name in enumerate(subject.types) if name == "string"]
    numbers = [i for i in range(len(subject.types)) if i not in texts]
    tensors = [tensor("X", "float64", numbers), tensor("text", "string", texts)]
    return [each for each in tensors if each["columns"]]


def steps_of(model: Any) -> list[Any]:
    """Return the estimators that answer, in order: pipelines and searches unfolded."""
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline

    if isinstance(model, BaseSearchCV):
        return steps_of(model.best_estimator_)
    if not isinstance(model, Pipeline):
        return [model]
    unfolded = []
    for _, step in model.steps:
        if step is not None and not (isinstance(step, str) and step == "passthrough"):
            unfolded.extend(steps_of(step))
    return unfolded or [model]


def _unknown(model: Any) -> str:
    kind, base = type(model), _plain_base(model)
    if base is not None and base is not kind:
        return f"{kind.__name__} changes how {base.__name__} predicts: fit a plain {base.__name__}"
    return (
        f"{kind.__name__} is none of its models (linear and logistic regression, trees, random "
        f"forests, gradient boosting)"
    )


def _plain_base(model: Any) -> type | None:
    """Return the library's estimator that a class builds on."""
    estimators = (
        base
        for base in type(model).__mro__
        if base.__module__.startswith(("sklearn.", "lightgbm.", "xgboost."))
        and not inspect.isabstract(base)
    )
    return next((base for base in estimators if "fit" in dir(base)), None)


def _finals() -> Iterator[tuple[Callable[[Any], bool], Callable[..., str]]]:
    yield is_tree_model, add_forest
    yield is_linear_regressor, add_linear_regressor
    yield is_linear_classifier, add_linear_classifier
    yield is_gradient_boosting, add_gradient_boosting
    yield is_hist_gradient_boosting, add_hist_gradient_boosting
    yield is_lightgbm, add_lightgbm
    yield is_xgboost, add_xgboost


# They encode categories themselves.
_TAKES_TEXT = (add_hist_gradient_boosting, add_lightgbm, add_xgboost)


def _add_final(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the model's step and return the precision of its answers."""
    add = next(add for is_known, add in _finals() if is_known(model))
    if add not in _TAKES_TEXT:
        check_numbers(model, given)
        given = settled(program, given)
    return add(program, model, given, subject)
