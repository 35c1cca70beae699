"""Native forms of a fitted model: what each exporter gives, and why one gives none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from _penstock import InvalidArgumentError

if TYPE_CHECKING:
    from _penstock import Candidate
    from penstock._containers import Container
    from penstock._model import Answers

ENGINES = ("own", "onnxruntime")


class NotExportableError(Exception):
    """A model has no form for an engine. The message is a clause: "predict of X is its own"."""


@dataclass(frozen=True)
class Subject:
    """What an exporter reads: the model, the rows it takes, how it answers."""

    model: Any
    container: Container
    types: Sequence[str]
    answers: Answers


@dataclass
class Candidates:
    """Native forms in order of preference, and a sentence on what would make more of it native."""

    forms: list[Candidate] = field(default_factory=list)
    hint: str = ""


def tensor(name: str, type_name: str, columns: Sequence[int]) -> dict[str, Any]:
    """Return a tensor of the encoding: these columns of the signature, in this order."""
    return {"name": name, "type": type_name, "columns": list(columns)}


def encoding(tensors: Sequence[dict[str, Any]]) -> str:
    """Return the encoding as JSON: how columns become tensors."""
    return json.dumps({"tensors": list(tensors)})


def export(subject: Subject, engine: str | None) -> Candidates:
    """Return the model's native forms, in the order in which they should be tried.

    Parameters
    ----------
    engine
        None: every engine; "own" or "onnxruntime": that one alone.

    Raises
    ------
    InvalidArgumentError
        There is no such engine, or the one asked for has no form of this model.
    """
    from penstock._export.onnx import onnx_candidates
    from penstock._export.own import own_candidate

    if engine is not None and engine not in ENGINES:
        raise InvalidArgumentError(
            f"there is no engine '{engine}'; 'own', 'onnxruntime' or None (whichever fits) was "
            f"expected"
        )
    if subject.answers.not_native:
        if engine is not None:
            raise _no_form(engine, subject.answers.not_native)
        return Candidates(hint=f"the model stays in Python: {subject.answers.not_native}")
    result = Candidates()
    reasons: dict[str, str] = {}
    if engine in {None, "own"}:
        with _noting(reasons, "the own evaluator"):
            result.forms.append(own_candidate(subject))
    if engine == "onnxruntime" or (engine is None and not result.forms):
        with _noting(reasons, "ONNX Runtime"):
            result.forms.extend(onnx_candidates(subject))
    if engine is not None and not result.forms:
        raise _no_form(engine, "; ".join(reasons.values()))
    result.hint = _hint(result, reasons)
    return result


def _no_form(engine: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"engine '{engine}' was asked for, and the model has no form for it: {reason}"
    )


@contextlib.contextmanager
def _noting(reasons: dict[str, str], engine: str) -> Iterator[None]:
    """Keep why there is no form for an engine; a model that an exporter fails at is kept too."""
    from penstock._model import first_line

    try:
        yield
    except NotExportableError as error:
        reasons[engine] = str(error)
    except Exception as error:
        reasons[engine] = f"its exporter failed ({type(error).__name__}: {first_line(error)})"


def _hint(result: Candidates, reasons: dict[str, str]) -> str:
    told = "; ".join(f"not by {engine}: {reason}" for engine, reason in reasons.items())
    return told if not result.forms or told else ""
