# SPDX-License-Identifier: Apache-2.0
"""Write the golden files of the engine's tests: real scikit-learn models with what they answer.

Run it in a virtual environment with scikit-learn 1.9, pandas, skl2onnx and onnx:
    python make_golden.py
For each case NAME it writes NAME.safetensors (own evaluator) or NAME.onnx, and NAME.golden: a
container of the same kind with the rows (x; a text column holds indices into "texts"), and
scikit-learn's label, probabilities, values.
"""

import json
import pathlib
import struct

import numpy as np
import onnx
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

HERE = pathlib.Path(__file__).parent
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "int64": "I64",
    "int32": "I32",
    "uint8": "U8",
    "bool": "BOOL",
}


def container(meta, arrays):
    header = {"__metadata__": {"penstock": json.dumps(meta)}}
    data = b""
    for name, given in arrays.items():
        array = np.ascontiguousarray(given)
        begin = len(data)
        data += array.tobytes()
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [begin, len(data)],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


class Program:
    def __init__(self):
        self.steps, self.arrays = [], {}

    def add(self, array):
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.asarray(array)
        return name

    def scaler(self, scaler, dtype):
        if isinstance(scaler, MinMaxScaler):
            step = {
                "op": "affine",
                "scale": self.add(scaler.scale_),
                "offset": self.add(scaler.min_),
            }
            if scaler.clip:
                step["clip"] = [float(bound) for bound in scaler.feature_range]
        elif isinstance(scaler, StandardScaler):
            step = {
                "op": "scale",
                "center": self.add(scaler.mean_.astype(dtype)),
                "scale": self.add(scaler.scale_.astype(dtype)),
            }
        else:
            center = getattr(scaler, "center_", None)
            step = {
                "op": "scale",
                "center": None if center is None else self.add(center),
                "scale": self.add(scaler.scale_),
            }
        self.steps.append(step | {"dtype": np.dtype(dtype).name})

    def linear(self, model, link, dtype):
        coef = np.atleast_2d(model.coef_)
        intercept = np.broadcast_to(np.asarray(model.intercept_, coef.dtype), (len(coef),))
        self.steps.append(
            {
                "op": "linear",
                "coef": self.add(coef),
                "intercept": self.add(intercept),
                "link": link,
                "dtype": np.dtype(dtype).name,
            }
        )

    def forest(self, model, mode):
        parts = {
            "feature": [],
            "threshold": [],
            "left": [],
            "right": [],
            "missing_left": [],
            "value": [],
        }
        roots, count = [], 0
        for tree in [e.tree_ for e in getattr(model, "estimators_", [model])]:
            roots.append(count)
            parts["feature"].append(tree.feature.astype(np.int32))
            parts["threshold"].append(tree.threshold)
            for side, children in (("left", tree.children_left), ("right", tree.children_right)):
                parts[side].append(np.where(children < 0, -1, children + count).astype(np.int32))
            parts["missing_left"].append(np.asarray(tree.missing_go_to_left, np.uint8))
            value = tree.value
            parts["value"].append(value[:, :, 0] if mode == "regressor" else value[:, 0, :])
            count += tree.node_count
        step = {"op": "forest", "mode": mode, "roots": self.add(np.array(roots, np.int64))}
        self.steps.append(
            step | {name: self.add(np.concatenate(part)) for name, part in parts.items()}
        )


def inputs_of(names, types):
    return [
        {"name": n, "type": t, "allows_missing": True, "allows_infinity": True}
        for n, t in zip(names, types, strict=True)
    ]


def answers_of(model, X):
    """What scikit-learn answers, as arrays, and the part of the signature that describes it."""
    answer = {}
    if hasattr(model, "classes_"):
        labels = model.classes_
        kind = {"i": "int64", "f": "float64", "b": "bool"}.get(labels.dtype.kind, "string")
        answer["label"] = np.searchsorted(labels, model.predict(X)).astype(np.int64)
        has_probabilities = hasattr(model, "predict_proba")
        if has_probabilities:
            answer["probabilities"] = model.predict_proba(X)
        return answer, {
            "task": "classification",
            "classes": {"type": kind, "labels": labels.tolist()},
            "has_probabilities": has_probabilities,
            "prediction": {"type": kind, "width": 0, "dtype": labels.dtype.str},
        }
    values = np.asarray(model.predict(X))
    answer["values"] = values.astype(np.float64)
    width = 0 if values.ndim == 1 else values.shape[1]
    return answer, {
        "task": "regression",
        "classes": None,
        "has_probabilities": False,
        "prediction": {"type": "float64", "width": width, "dtype": values.dtype.name},
    }


def write(name, model_bytes, suffix, model, X, x, types, precision, encoding, options, texts=()):
    answer, signature = answers_of(model, X)
    columns = [f"x{i}" for i in range(len(types))]
    signature |= {"has_column_names": False, "inputs": inputs_of(columns, types)}
    meta = [
        {
            "signature": signature,
            "precision": precision,
            "encoding": encoding,
            "options": options,
            "texts": list(texts),
        }
    ]
    (HERE / f"{name}.{suffix}").write_bytes(model_bytes)
    (HERE / f"{name}.golden").write_bytes(
        container(meta, {"x": np.asarray(x, np.float64)} | answer)
    )


def write_own(name, steps, X, dtype=np.float64, link=None):
    """steps: fitted scalers, then a fitted model; X the rows to answer."""
    *scalers, final = steps
    program = Program()
    for scaler in scalers:
        program.scaler(scaler, dtype)
    if link:
        program.linear(final, link, dtype)
    else:
        program.forest(final, "classifier" if hasattr(final, "classes_") else "regressor")
    pipeline = make_pipeline(*steps)
    kind = np.dtype(dtype).name
    encoding = {"tensors": [{"name": "X", "type": kind, "columns": list(range(X.shape[1]))}]}
    precision = kind if link else "float64"
    write(
        name,
        container(program.steps, program.arrays),
        "safetensors",
        pipeline,
        X,
        X,
        [kind] * X.shape[1],
        precision,
        encoding,
        {},
    )


def fitted(steps, X, y):
    return [step for _, step in make_pipeline(*steps).fit(X, y).steps]


def own_cases():
    digits, cancer, iris, diabetes = (
        load_digits(),
        load_breast_cancer(),
        load_iris(),
        load_diabetes(),
    )
    names = cancer.target_names[cancer.target]
    few = slice(0, None, 40)
    X, y = digits.data, digits.target
    write_own(
        "logistic_digits", fitted([LogisticRegression(max_iter=200)], X, y), X[few], link="softmax"
    )
    write_own(
        "forest_digits",
        fitted([RandomForestClassifier(10, max_depth=5, random_state=0)], X, y),
        X[few],
    )
    X, y = cancer.data, names
    write_own(
        "logistic_cancer",
        fitted([StandardScaler(), LogisticRegression()], X, y),
        X[few],
        link="logistic",
    )
    write_own(
        "scaled_forest_cancer",
        fitted([StandardScaler(), RandomForestClassifier(20, random_state=0)], X, y),
        X[few],
    )
    X32 = X.astype(np.float32)
    write_own(
        "float32_forest_cancer",
        fitted([StandardScaler(), RandomForestClassifier(20, random_state=0)], X32, y),
        X32[few],
        np.float32,
    )
    write_own(
        "float32_minmax_cancer",
        fitted(
            [MinMaxScaler(clip=True), DecisionTreeClassifier(random_state=0)], X32[:200], y[:200]
        ),
        X32[few],
        np.float32,
    )
    holes = X.copy()
    holes[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    write_own(
        "missing_forest_cancer",
        fitted([RandomForestClassifier(20, random_state=0)], holes, y == "benign"),
        holes[few],
    )
    X, y = iris.data, iris.target.astype(float)
    write_own(
        "ovr_iris",
        fitted([MaxAbsScaler(), SGDClassifier(loss="log_loss", random_state=0)], X, y),
        X[::5],
        link="one_vs_rest",
    )
    write_own("labels_iris", fitted([RidgeClassifier()], X, y), X[::5], link="identity_decision")
    write_own(
        "hinge_iris",
        fitted([SGDClassifier(random_state=0)], X[:100], y[:100]),
        X[::5],
        link="identity_decision",
    )
    X, y = diabetes.data, diabetes.target
    targets = np.column_stack([y, y**2, X[:, 2]])
    write_own("lasso_diabetes", fitted([RobustScaler(), Lasso(0.1)], X, y), X[few], link="identity")
    write_own(
        "three_targets_diabetes", fitted([LinearRegression()], X, targets), X[few], link="identity"
    )
    write_own(
        "forest_diabetes",
        fitted([RandomForestRegressor(10, max_depth=5, random_state=0)], X, y),
        X[few],
    )
    write_own(
        "three_targets_forest_diabetes",
        fitted([ExtraTreesRegressor(9, max_depth=5, random_state=0)], X, targets),
        X[few],
    )
    X32 = X.astype(np.float32)
    write_own(
        "float32_ridge_diabetes",
        fitted([Ridge()], X32, y.astype(np.float32)),
        X32[few],
        np.float32,
        "identity",
    )
    seconds = (1.7e9 + 1e5 * np.arange(200.0))[:, None]
    seconds = np.hstack([seconds, np.random.default_rng(0).normal(size=(200, 1))])
    write_own(
        "ridge_seconds",
        fitted([Ridge()], seconds, 3e-6 * seconds[:, 0] + seconds[:, 1]),
        seconds[::10],
        link="identity",
    )


def write_onnx(name, model, X, x, types, initial_types, precision, outputs, texts=(), **kwargs):
    exported = to_onnx(
        model, initial_types=initial_types, target_opset={"": 18, "ai.onnx.ml": 3}, **kwargs
    )
    exported.doc_string = ""
    place, tensors = 0, []
    kinds = {FloatTensorType: "float32", Int64TensorType: "int64", StringTensorType: "string"}
    for tensor, kind in initial_types:
        width = kind.shape[1]
        tensors.append(
            {
                "name": tensor,
                "type": kinds[type(kind)],
                "columns": list(range(place, place + width)),
            }
        )
        place += width
    write(
        name,
        exported.SerializeToString(),
        "onnx",
        model,
        X,
        x,
        types,
        precision,
        {"tensors": tensors},
        outputs,
        texts,
    )
    return exported


def onnx_cases():
    digits, cancer, diabetes = load_digits(), load_breast_cancer(), load_diabetes()
    few = slice(0, None, 40)
    both = {"label": "label", "probabilities": "probabilities"}
    X, y = digits.data, digits.target
    model = LogisticRegression(max_iter=200).fit(X, y)
    exported = write_onnx(
        "onnx_logistic_digits",
        model,
        X[few],
        X[few],
        ["float64"] * 64,
        [("X", FloatTensorType([None, 64]))],
        "float32",
        both,
        options={id(model): {"zipmap": False}},
    )
    external(exported)
    X, y = cancer.data, cancer.target_names[cancer.target]
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    write_onnx(
        "onnx_forest_cancer",
        model,
        X[few],
        X[few],
        ["float64"] * 30,
        [("X", FloatTensorType([None, 30]))],
        "float32",
        both,
        options={id(model): {"zipmap": False}},
    )
    write_onnx(
        "onnx_zipmap_cancer",
        model,
        X[few],
        X[few],
        ["float64"] * 30,
        [("X", FloatTensorType([None, 30]))],
        "float32",
        {"label": "output_label", "probabilities": "output_probability"},
    )
    X, y = diabetes.data, diabetes.target
    model = GradientBoostingRegressor(n_estimators=10, random_state=0).fit(X, y)
    write_onnx(
        "onnx_boosting_diabetes",
        model,
        X[few],
        X[few],
        ["float64"] * 10,
        [("X", FloatTensorType([None, 10]))],
        "float32",
        {"values": "variable"},
    )
    model = KMeans(4, random_state=0, n_init=1).fit(X)
    write_onnx(
        "onnx_clusters_diabetes",
        model,
        X[few],
        X[few],
        ["float64"] * 10,
        [("X", FloatTensorType([None, 10]))],
        "float32",
        {"values": "label"},
    )
    mixed_case(both)


def mixed_case(outputs):
    rng = np.random.default_rng(0)
    texts = ["red", "grün", "", "blue"]
    codes = rng.integers(0, 4, 200)
    frame = pd.DataFrame(
        {
            "x0": rng.normal(size=200),
            "x1": rng.integers(0, 9, 200),
            "x2": np.array(texts, dtype=object)[codes],
        }
    )
    y = (frame.x0 + frame.x1 / 9 + (codes == 1) > 0.7).to_numpy()
    encode = ColumnTransformer(
        [
            ("n", StandardScaler(), ["x0"]),
            ("c", OneHotEncoder(handle_unknown="ignore"), ["x1", "x2"]),
        ]
    )
    model = make_pipeline(encode, LogisticRegression()).fit(frame, y)
    x = np.column_stack([frame.x0, frame.x1, codes])
    types = [
        ("x0", FloatTensorType([None, 1])),
        ("x1", Int64TensorType([None, 1])),
        ("x2", StringTensorType([None, 1])),
    ]
    write_onnx(
        "onnx_mixed",
        model,
        frame[::10],
        x[::10],
        ["float64", "int64", "string"],
        types,
        "float32",
        outputs,
        texts,
        options={id(model): {"zipmap": False}},
    )


def external(exported):
    """The same model with an initializer in another file: a package never has one."""
    model = onnx.ModelProto()
    model.CopyFrom(exported)
    del model.graph.node[:]
    del model.graph.output[:]
    model.graph.node.append(onnx.helper.make_node("Add", ["X", "w"], ["variable"]))
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("variable", onnx.TensorProto.FLOAT, [None, 64])
    )
    del model.graph.initializer[:]
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[64])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "256")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    model.graph.initializer.append(tensor)
    (HERE / "onnx_external.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    own_cases()
    onnx_cases()
