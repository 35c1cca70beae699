"""Write packages by docs/internals/package-format.md alone: a second writer beside the C++ one."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

Array = tuple[str, list[int], bytes]


def floats(values: list[float], shape: list[int] | None = None) -> Array:
    """Return an array of float64."""
    return "F64", shape or [len(values)], struct.pack(f"<{len(values)}d", *values)


def integers(values: list[int]) -> Array:
    """Return an array of int64."""
    return "I64", [len(values)], struct.pack(f"<{len(values)}q", *values)


def safetensors(steps: list[dict[str, Any]], arrays: dict[str, Array]) -> bytes:
    """Return the container: u64 length, JSON header, the arrays."""
    header: dict[str, Any] = {"__metadata__": {"penstock": json.dumps(steps)}}
    data = b""
    for name, (dtype, shape, raw) in sorted(arrays.items()):
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def column(name: str, type_: str = "float64", **more: Any) -> dict[str, Any]:
    """Return one input of a signature."""
    defaults = {"allows_missing": False, "allows_infinity": False}
    return {"name": name, "type": type_, **defaults, **more}


OWN = {"kind": "own", "file": "evaluator.safetensors"}
ONNX = {"kind": "onnxruntime", "file": "model.onnx", "options": {"values": "y"}}


def write(
    folder: Path,
    signature: dict[str, Any],
    model: bytes,
    *,
    engine: dict[str, Any] = OWN,
    **manifest: Any,
) -> Path:
    """Write a package of one engine's file and return its folder."""
    folder.mkdir(parents=True)
    contents = {engine["file"]: model, "parity.json": b'{"rows": 100, "differing": 0}'}
    files = [
        {"path": path, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        for path, raw in sorted(contents.items())
    ]
    columns = list(range(len(signature["inputs"])))
    encoding = {"tensors": [{"name": "X", "type": "float64", "columns": columns}]}
    value = {
        "format": 1,
        "reader_min": 1,
        "created_by": "tests",
        "signature": signature,
        "engines": [{**engine, "precision": "float64", "encoding": encoding}],
        "engine_reason": "a test asked for this engine",
        "files": files,
        **manifest,
        "manifest_sha256": "0" * 64,
    }
    text = json.dumps(value, indent=2) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    for path, raw in contents.items():
        (folder / path).write_bytes(raw)
    (folder / "penstock.json").write_text(text.replace("0" * 64, digest))
    return folder


def regression(inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the signature of a regression on these columns."""
    return {
        "task": "regression",
        "has_column_names": any(c["name"] != f"x{i}" for i, c in enumerate(inputs)),
        "inputs": inputs,
        "classes": None,
        "has_probabilities": False,
        "prediction": {"type": "float64", "width": 0, "dtype": "float64"},
    }


def linear(folder: Path, coef: list[float], intercept: float, **more: Any) -> Path:
    """Write a regression: the sum of coef x columns, plus intercept."""
    inputs = more.pop("inputs", None) or [column(f"x{i}") for i in range(len(coef))]
    steps = [{"op": "linear", "coef": "c", "intercept": "b", "link": "identity"}]
    arrays = {"c": floats(coef, [1, len(coef)]), "b": floats([intercept])}
    return write(folder, regression(inputs), safetensors(steps, arrays), **more)


def onnx_linear(folder: Path, coef: list[float], intercept: float) -> Path:
    """Write the same regression as a graph for ONNX Runtime."""
    width = len(coef)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["X", "c"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
        [
            helper.make_tensor("c", TensorProto.DOUBLE, [width, 1], coef),
            helper.make_tensor("b", TensorProto.DOUBLE, [1], [intercept]),
        ],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    inputs = [column(f"x{i}") for i in range(width)]
    return write(folder, regression(inputs), model.SerializeToString(), engine=ONNX)


def classifier(folder: Path, labels: list[str], coef: list[list[float]]) -> Path:
    """Write a softmax classifier with string labels."""
    width = len(coef[0])
    signature = {
        "task": "classification",
        "has_column_names": False,
        "inputs": [column(f"x{i}") for i in range(width)],
        "classes": {"type": "string", "labels": labels},
        "has_probabilities": True,
        "prediction": {"type": "string", "width": 0, "dtype": "<U6"},
    }
    flat = [value for row in coef for value in row]
    steps = [{"op": "linear", "coef": "c", "intercept": "b", "link": "softmax"}]
    arrays = {"c": floats(flat, [len(coef), width]), "b": floats([0.0] * len(coef))}
    return write(folder, signature, safetensors(steps, arrays))


def slow(folder: Path, trees: int = 60_000) -> Path:
    """Write a forest of so many stumps that one row takes about a millisecond."""
    names = ["roots", "feature", "threshold", "left", "right", "missing_left", "value"]
    step = {"op": "forest", "mode": "regressor", **{name: name for name in names}}
    at = [3 * i for i in range(trees)]
    arrays = {
        "roots": integers(at),
        "feature": integers([0, -2, -2] * trees),
        "threshold": floats([0.5, 0.0, 0.0] * trees),
        "left": integers([node for i in at for node in (i + 1, -1, -1)]),
        "right": integers([node for i in at for node in (i + 2, -1, -1)]),
        "missing_left": ("U8", [3 * trees], bytes([1, 0, 0] * trees)),
        "value": floats([0.0, 1.0, 2.0] * trees, [3 * trees, 1]),
    }
    return write(folder, regression([column("x0")]), safetensors([step], arrays))
