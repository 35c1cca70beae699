"""Forms for ONNX Runtime: what skl2onnx converts, in double precision first.

skl2onnx is asked quietly, with pinned operator sets, and is helped where a plain call fails or
answers otherwise than the model.
"""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import json
import logging
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._columns import is_missing
from penstock._export import NotExportableError, Subject, encoding, tensor
from penstock._export.parts import check_keeps_its_answers, parts_of
from penstock._extras import missing
from penstock._model import first_line

if TYPE_CHECKING:
    from _penstock import Candidate

FILE = "model.onnx"
TARGET_OPSET = {"": 21, "ai.onnx.ml": 3}
REASON_MAX = 160

_ELEMENT_TYPES = {1: "float32", 7: "int64", 8: "string", 11: "float64"}  # onnx.TensorProto.DataType
# skl2onnx is mended and quietened for the whole process while it converts: one thread at a time.
_CONVERTER = threading.Lock()
_NUMBERS = ("bool", "int64", "float32", "float64")


@dataclass(frozen=True)
class _Feed:
    """One ONNX input: these columns of the signature, in this element type."""

    name: str
    type_name: str
    columns: tuple[int, ...]


def onnx_candidates(subject: Subject) -> list[Candidate]:
    """Return the model's forms for ONNX Runtime: float64 where the converter has it, then float32.

    Raises
    ------
    NotExportableError
        The converter is not installed, has no way to express the model, or would leave out what a
        class of the user's own does.
    """
    _check_installed()
    check_keeps_its_answers(subject.model)
    reasons: list[str] = []
    forms: list[Candidate] = []
    for model, precision in _variants(subject):
        try:
            form = _convert(subject, model, precision)
        except NotExportableError as error:
            reasons.append(str(error))
            continue
        if all(form["bytes"] != other["bytes"] for other in forms):
            forms.append(form)
    if not forms:
        raise NotExportableError(reasons[-1])
    return forms


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import skl2onnx  # noqa: F401
    except ImportError as error:
        raise NotExportableError(f"it needs {missing(error) or error}") from None


def _variants(subject: Subject) -> Iterator[tuple[Any, str]]:
    """Give the model as it should be converted, and the precision of its numbers.

    Trees of scikit-learn round their input to float32 themselves, after the steps before them have
    worked in float64, and ONNX Runtime's trees take float32 alone: the steps get float64, the trees
    what is rounded from it. Without steps there is nothing to gain from float64.
    """
    from skl2onnx.sklapi import CastTransformer
    from sklearn.pipeline import Pipeline

    model = _unwrap(subject.model)
    if not _is_made_of_trees(_last_step(model)):
        yield model, "float64"
    elif isinstance(model, Pipeline) and len(model.steps) > 1:
        steps = [*model.steps[:-1], ("penstock_cast", CastTransformer(dtype=np.float32))]
        yield Pipeline([*steps, model.steps[-1]]), "float64"
    yield model, "float32"


def _unwrap(model: Any) -> Any:
    from sklearn.model_selection._search import BaseSearchCV

    return _unwrap(model.best_estimator_) if isinstance(model, BaseSearchCV) else model


def _last_step(model: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return _last_step(model.steps[-1][1]) if isinstance(model, Pipeline) else model


def _is_made_of_trees(model: Any) -> bool:
    from sklearn import ensemble, tree

    return isinstance(
        model,
        tree.BaseDecisionTree
        | ensemble.RandomForestClassifier
        | ensemble.RandomForestRegressor
        | ensemble.ExtraTreesClassifier
        | ensemble.ExtraTreesRegressor
        | ensemble.GradientBoostingClassifier
        | ensemble.GradientBoostingRegressor
        | ensemble.HistGradientBoostingClassifier
        | ensemble.HistGradientBoostingRegressor
        | ensemble.IsolationForest,
    )


def _convert(subject: Subject, model: Any, precision: str) -> Candidate:
    feeds = _feeds(subject, model, precision)
    onnx_model = _to_onnx(model, feeds)
    feeds = _name_inputs(onnx_model, feeds)
    options = _choose_outputs(onnx_model, subject)
    _end_at_class_index(onnx_model, subject, options)
    _forget_locales(onnx_model)
    if "probabilities" in options and _is_made_of_trees(_last_step(model)):
        _clip_probabilities(onnx_model)
    used = {output.name: output for output in onnx_model.graph.output}
    numbers = [o.type.tensor_type.elem_type for o in used.values()]
    tensors = [tensor(feed.name, feed.type_name, feed.columns) for feed in feeds]
    return {
        "kind": "onnxruntime",
        "file": FILE,
        "bytes": onnx_model.SerializeToString(deterministic=True),
        "precision": "float32" if 1 in numbers else precision,
        "encoding_json": encoding(tensors),
        "options_json": json.dumps(options),
    }


def _feeds(subject: Subject, model: Any, precision: str) -> list[_Feed]:
    """Return one input for the whole of X where all columns are alike, else one a column."""
    types, names = subject.types, subject.container.names
    every = tuple(range(len(types)))
    if not _selects_by_name(model):
        if all(t in _NUMBERS for t in types):
            return [_Feed("X", precision, every)]
        if all(t == "string" for t in types):
            return [_Feed("X", "string", every)]
    by_type = {"string": "string"} | dict.fromkeys(_NUMBERS, precision)
    return [_Feed(names[i], by_type[types[i]], (i,)) for i in every]


def _selects_by_name(model: Any) -> bool:
    """Tell whether a part of the model picks columns by their names."""
    from sklearn.compose import ColumnTransformer

    return any(
        _has_name(labels)
        for part in parts_of(model)
        if isinstance(part, ColumnTransformer)
        for _, _, labels in getattr(part, "transformers_", part.transformers)
    )


def _has_name(labels: Any) -> bool:
    """Tell whether what a ColumnTransformer is given for a step's columns says names."""
    if callable(labels):
        return True  # it picks them when it is fitted: names where X has them
    if isinstance(labels, slice):
        return isinstance(labels.start, str) or isinstance(labels.stop, str)
    return any(isinstance(label, str) for label in np.atleast_1d(np.asarray(labels, dtype=object)))


def _to_onnx(model: Any, feeds: Sequence[_Feed]) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common import data_types

    kinds = {
        "float64": data_types.DoubleTensorType,
        "float32": data_types.FloatTensorType,
        "string": data_types.StringTensorType,
    }
    initial = [(f.name, kinds[f.type_name]([None, len(f.columns)])) for f in feeds]
    error: Exception | None = None
    with _CONVERTER, _quietly(), _patched():
        prepared = _prepared(model)
        # Converters of models without class probabilities know no option 'zipmap'.
        for options in ({id(prepared): {"zipmap": False}}, None):
            try:
                return convert_sklearn(
                    prepared,
                    name=type(model).__name__,  # otherwise it is a random one
                    initial_types=initial,
                    target_opset=TARGET_OPSET,
                    options=options,
                )
            except NameError as refused:
                error = refused
            except Exception as failed:
                error = failed
                break
    raise NotExportableError(_reason(model, error)) from error


def _reason(model: Any, error: Exception | None) -> str:
    told = first_line(error) if error is not None else "no message"
    if len(told) > REASON_MAX:
        told = told[:REASON_MAX].rsplit(" ", 1)[0] + " ..."
    return (
        f"skl2onnx cannot convert the {type(model).__name__} ({type(error).__name__}: {told}), and "
        f"a model of estimators that it converts would run in ONNX Runtime"
    )


def _prepared(model: Any) -> Any:
    """Return the model with a switch set that the converter needs; the user's own stays."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.pipeline import Pipeline

    if isinstance(model, VotingClassifier) and model.flatten_transform:
        model = copy.copy(model)
        model.flatten_transform = False
        return model
    if isinstance(model, Pipeline):
        steps = [(name, _prepared(step)) for name, step in model.steps]
        if any(new is not old for (_, new), (_, old) in zip(steps, model.steps, strict=True)):
            return Pipeline(steps)
    return model


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what the converter warns, logs and prints away from the user."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


@contextlib.contextmanager
def _patched() -> Iterator[None]:
    """Mend skl2onnx 1.20 for the time of one conversion.

    NumPy's booleans become integers, since protobuf 7 refuses them; missing values are filled by
    nodes for which ONNX Runtime has float64.
    """
    from skl2onnx.common import tree_ensemble
    from skl2onnx.common._registration import RegisteredConverter, _converter_pool

    original = tree_ensemble.add_node
    imputer = "SklearnSimpleImputer"
    otherwise = _converter_pool[imputer]

    def add_node(*args: Any, **kwargs: Any) -> Any:
        name = "nodes_missing_value_tracks_true"
        if name in kwargs:
            kwargs[name] = int(kwargs[name])
        return original(*args, **kwargs)

    def convert_imputer(scope: Any, operator: Any, container: Any) -> None:
        _convert_imputer(scope, operator, container, otherwise)

    tree_ensemble.add_node = add_node
    _converter_pool[imputer] = RegisteredConverter(convert_imputer, options=None)
    try:
        yield
    finally:
        tree_ensemble.add_node = original
        _converter_pool[imputer] = otherwise


def _convert_imputer(scope: Any, operator: Any, container: Any, otherwise: Any) -> None:
    """Fill missing values by Where: ONNX Runtime's Imputer has no float64, and none for text.

    Missing text arrives as "".
    """
    from onnx import TensorProto
    from skl2onnx.common import data_types
    from skl2onnx.operator_converters.common import concatenate_variables

    imputer, kind = operator.raw_operator, operator.inputs[0].type
    element_types = {
        data_types.DoubleTensorType: TensorProto.DOUBLE,
        data_types.FloatTensorType: TensorProto.FLOAT,
        data_types.StringTensorType: TensorProto.STRING,
    }
    marker, fills = imputer.missing_values, imputer.statistics_
    is_plain = isinstance(marker, float) and np.isnan(marker) and not imputer.add_indicator
    if type(kind) not in element_types or not is_plain or any(is_missing(value) for value in fills):
        otherwise(scope, operator, container)
        return
    is_text = isinstance(kind, data_types.StringTensorType)
    given = concatenate_variables(scope, operator.inputs, container)
    given = given[0] if isinstance(given, list) else given
    fill = scope.get_unique_variable_name("fill")
    values = [str(v).encode() for v in fills] if is_text else [float(v) for v in fills]
    container.add_initializer(fill, element_types[type(kind)], [1, len(values)], values)
    missing = scope.get_unique_variable_name("is_missing")
    if is_text:
        empty = scope.get_unique_variable_name("empty")
        container.add_initializer(empty, TensorProto.STRING, [1, 1], [b""])
        container.add_node("Equal", [given, empty], [missing], op_version=19)
    else:
        container.add_node("IsNaN", [given], [missing], op_version=13)
    container.add_node(
        "Where", [missing, fill, given], operator.outputs[0].full_name, op_version=16
    )


def _name_inputs(onnx_model: Any, feeds: Sequence[_Feed]) -> list[_Feed]:
    """Return the feeds under the names that the graph has for them; add inputs that it dropped."""
    from onnx import TensorProto, helper

    named = {value.name for value in onnx_model.graph.input}
    element_types = {"float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT}
    result = []
    for feed, name in zip(feeds, _graph_names([feed.name for feed in feeds]), strict=True):
        if name not in named:
            kind = element_types.get(feed.type_name, TensorProto.STRING)
            shape = [None, len(feed.columns)]
            onnx_model.graph.input.append(helper.make_tensor_value_info(name, kind, shape))
        named.discard(name)
        result.append(_Feed(name, feed.type_name, feed.columns))
    if named:
        raise NotExportableError(
            f"the converter made inputs of its own: {', '.join(sorted(named))}"
        )
    return result


def _graph_names(names: Sequence[str]) -> list[str]:
    """Return the names that skl2onnx gives to inputs: those of C, numbered where two are alike."""
    taken: list[str] = []
    for name in names:
        plain = re.sub("[^\\w+]", "_", name)
        plain = f"_{plain}" if re.match("[0-9]", plain) else plain
        numbered = itertools.chain([plain], (f"{plain}{i}" for i in itertools.count(1)))
        taken.append(next(n for n in numbered if n not in taken))
    return taken


def _forget_locales(onnx_model: Any) -> None:
    """Let text be normalised in a locale that every machine has: en_US is missing on servers."""
    from onnx import helper

    for node in onnx_model.graph.node:
        if node.op_type == "StringNormalizer":
            kept = [attribute for attribute in node.attribute if attribute.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("locale", "C.UTF-8")])


def _clip_probabilities(onnx_model: Any) -> None:
    """Keep probabilities between 0 and 1, which sums of float32 over trees leave by an ulp."""
    from onnx import TensorProto, helper

    graph = onnx_model.graph
    name = graph.output[1].name
    kind = graph.output[1].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        return
    for node in graph.node:
        for names in (node.input, node.output):
            for index, used in enumerate(names):
                if used == name:
                    names[index] = f"{name}_of_trees"
    for bound, value in (("lowest", 0.0), ("highest", 1.0)):
        graph.initializer.append(helper.make_tensor(f"penstock_{bound}", kind, [], [value]))
    inputs = [f"{name}_of_trees", "penstock_lowest", "penstock_highest"]
    graph.node.append(helper.make_node("Clip", inputs, [name], name="penstock_clip"))


def _choose_outputs(onnx_model: Any, subject: Subject) -> dict[str, Any]:
    """Keep the outputs that an answer contains, and return their names as the engine's options."""
    outputs = onnx_model.graph.output
    if subject.answers.task != "classification":
        del outputs[1:]
        return {"values": outputs[0].name}
    if not subject.answers.has_probabilities:
        del outputs[1:]
        return {"label": outputs[0].name}
    if len(outputs) < 2:
        raise NotExportableError("the converter gives no probabilities")
    del outputs[2:]
    return {"label": outputs[0].name, "probabilities": outputs[1].name}


def _end_at_class_index(onnx_model: Any, subject: Subject, options: dict[str, Any]) -> None:
    """Let the graph end where it knows the class, and the engine look up the label.

    skl2onnx ends with ArgMax and three or four nodes that turn an index into a label; they take
    longer than the whole of a linear model. What is read from the graph is the same index: the
    index itself, or nothing where the greatest of the probabilities is just that.
    """
    if "label" not in options:
        return
    graph = onnx_model.graph
    makers = {name: node for node in graph.node for name in node.output}
    lookup = _maker(makers, options["label"], past=("Cast", "Reshape", "Identity"))
    if lookup is None or lookup.op_type != "ArrayFeatureExtractor":
        return
    index = _maker(makers, lookup.input[1], past=("Identity",))
    if index is None or index.op_type != "ArgMax" or not _are_the_classes(graph, lookup, subject):
        return
    del options["label"]
    del graph.output[0]
    if not _are_probabilities_of(makers, index.input[0], options.get("probabilities")):
        from onnx import TensorProto, helper

        options["class_index"] = index.output[0]
        info = helper.make_tensor_value_info(index.output[0], TensorProto.INT64, None)
        graph.output.append(info)
    _drop_unused(graph)


def _are_probabilities_of(makers: dict[str, Any], scores: str, name: str | None) -> bool:
    """Tell whether the probabilities are the scores themselves, or grow with them."""
    if name is None or name == scores:
        return name == scores
    node = _maker(makers, name, past=("Identity",))
    return node is not None and node.op_type == "Softmax" and node.input[0] == scores


def _maker(makers: dict[str, Any], name: str, *, past: Sequence[str]) -> Any:
    """Return the node that makes a value, seen through nodes that only change its form."""
    node = makers.get(name)
    while node is not None and node.op_type in past:
        node = makers.get(node.input[0])
    return node


def _are_the_classes(graph: Any, lookup: Any, subject: Subject) -> bool:
    """Tell whether a node looks up the model's classes, in the order of the signature."""
    from onnx import numpy_helper

    classes = subject.answers.classes
    table = next((t for t in graph.initializer if t.name == lookup.input[0]), None)
    if table is None or classes is None:
        return False
    labels = numpy_helper.to_array(table).ravel().tolist()
    told = [label.decode() if isinstance(label, bytes) else label for label in labels]
    return bool(told == classes.tolist())


def _reads(node: Any) -> Iterator[str]:
    """Give the values that a node takes, and those that the graphs inside it take from outside."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)


def _drop_unused(graph: Any) -> None:
    """Remove the nodes and initializers that no output needs."""
    needed = {output.name for output in graph.output}
    for node in reversed(graph.node):  # skl2onnx orders them: a value is made before it is used
        if needed.intersection(node.output):
            needed.update(_reads(node))
    nodes = [node for node in graph.node if needed.intersection(node.output)]
    initializers = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    graph.initializer.extend(initializers)
