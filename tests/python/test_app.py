"""Dataset and Model: the steps, their defaults, and what bad input gets."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import math
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import penstock
from penstock import Dataset, InvalidArgumentError, Model

FRAME = load_digits(as_frame=True).frame


def digits(**settings: Any) -> Dataset:
    return Dataset("digits", source=lambda: FRAME, targets=["target"], **settings)


def classifier(dataset: Dataset | None = None, **settings: Any) -> Model:
    return Model("digits", LogisticRegression, dataset=dataset or digits(), **settings)


def train(model: Model, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
    return model.train(hyperparameters={"max_iter": 2000}, **kwargs)


def test_an_estimator_and_a_source_are_enough() -> None:
    model = classifier()
    fitted, metrics = train(model)
    expected = train_test_split(FRAME, test_size=0.2, random_state=12345)
    alone = LogisticRegression(max_iter=2000).fit(
        expected[0].drop(columns="target"), expected[0]["target"]
    )
    np.testing.assert_array_equal(fitted.coef_, alone.coef_)
    assert metrics["test"] == alone.score(expected[1].drop(columns="target"), expected[1]["target"])
    assert model.artifact == penstock.ModelArtifact(fitted, {"max_iter": 2000}, metrics)
    np.testing.assert_array_equal(
        model.predict(FRAME.head(5)), alone.predict(FRAME.head(5).drop(columns="target"))
    )


def test_the_trained_model_is_registered_with_the_rows_of_all_splits() -> None:
    model = classifier()
    fitted, _ = train(model)
    version = model.register()
    assert repr(version).startswith("digits@1  native, checked on 1,797 rows")
    np.testing.assert_array_equal(
        version.predict(FRAME.drop(columns="target")), fitted.predict(FRAME.drop(columns="target"))
    )


def test_a_source_is_read_with_its_places_filled(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "people.db") as database:
        database.execute("CREATE TABLE people (age INTEGER, plan TEXT, bought INTEGER)")
        rows = [(20 + i, "pro" if i % 2 else "it's", i % 3 == 0) for i in range(60)]
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    database.close()
    people = Dataset(
        "people",
        source=f"sqlite:///{tmp_path}/people.db?query="
        "SELECT age, bought FROM people WHERE plan = {plan} LIMIT {limit}",
        targets=["bought"],
    )
    assert len(people.read(plan="it's", limit=7)) == 7
    encoded = f"sqlite:///{tmp_path}/people.db?query=SELECT%20age%20FROM%20people%20LIMIT%20{{n}}"
    assert len(Dataset("encoded", source=encoded).read(n=3)) == 3
    model = Model("people", LogisticRegression, dataset=people)
    model.train(plan="pro", limit=30)
    assert len(model.predict(plan="it's", limit=5)) == 5
    with pytest.raises(InvalidArgumentError, match=r"needs a value for 'limit': give it by name"):
        people.read(plan="pro")
    with pytest.raises(InvalidArgumentError, match=r"'limt' was given.*Did you mean 'limit'\?"):
        people.read(plan="pro", limt=1)
    with pytest.raises(InvalidArgumentError, match="cannot stand in a query"):
        people.read(plan=b"x", limit=1)


def test_steps_run_in_their_order_each_once() -> None:
    ran: list[str] = []
    dataset = Dataset("steps", targets=["y"], test_size=0.25, shuffle=False)
    model = Model("steps", dataset=dataset)

    @dataset.reader
    def read(rows: int = 8) -> list[int]:
        ran.append("reader")
        return list(range(rows))

    @dataset.loader
    def load(raw: list[int], *, factor: float = 1.0) -> pd.DataFrame:
        ran.append("loader")
        return pd.DataFrame({"x": raw, "y": [factor * value for value in raw]})

    @dataset.splitter
    def split(data: pd.DataFrame, test_size: float, shuffle: bool) -> tuple[Any, Any]:
        ran.append("splitter")
        assert not shuffle
        at = int(len(data) * (1 - test_size))
        return data[:at], data[at:]

    @dataset.parser
    def parse(data: pd.DataFrame, features: list[str] | None, targets: list[str]) -> list[Any]:
        ran.append("parser")
        return [data[["x"]], data[targets] if set(targets) <= set(data) else None]

    @dataset.feature_loader
    def load_features(given: list[int]) -> pd.DataFrame:
        ran.append("feature_loader")
        return pd.DataFrame({"x": given})

    @dataset.feature_transformer
    def transform(features: pd.DataFrame) -> pd.DataFrame:
        ran.append("feature_transformer")
        return features / 10

    @model.init
    def init(hyperparameters: dict) -> Ridge:
        ran.append("init")
        return Ridge(**hyperparameters)

    @model.trainer
    def fit(model: Ridge, X: pd.DataFrame, y: pd.DataFrame, *, verbose: bool = False) -> Ridge:
        ran.append(f"trainer {verbose} {len(X)} {X['x'].max()}")
        return model.fit(X, y)

    @model.evaluator
    def judge(model: Ridge, X: pd.DataFrame, y: pd.DataFrame) -> dict[str, float]:
        ran.append(f"evaluator {len(X)}")
        return {"r2": model.score(X, y)}

    @model.predictor
    def predict(model: Ridge, X: pd.DataFrame) -> list[float]:
        ran.append(f"predictor {X['x'].tolist()}")
        return [float(value) for value in model.predict(X).ravel()]

    model.train(
        hyperparameters={"alpha": 0.0},
        loader_kwargs={"factor": 3.0},
        splitter_kwargs={"test_size": 0.5},
        trainer_kwargs={"verbose": True},
        rows=16,
    )
    assert ran == [
        "reader",
        "loader",
        "splitter",
        *["parser", "parser", "feature_transformer", "feature_transformer"],
        "init",
        "trainer True 8 0.7",
        "evaluator 8",
        "evaluator 8",
    ]
    ran.clear()
    assert model.predict([10]) == [pytest.approx(30)]
    assert ran == ["feature_loader", "feature_transformer", "predictor [1.0]"]
    ran.clear()
    assert model.predict(rows=2) == pytest.approx([0, 3])
    assert ran == ["reader", "loader", "parser", "feature_transformer", "predictor [0.0, 0.1]"]
    assert load(raw=[1]).shape == (1, 2), "a decorated function stays what it was"


class Splits(NamedTuple):
    train: Any
    validation: Any


def test_splits_may_be_named_and_data_may_be_any_object() -> None:
    dataset = Dataset("images")
    dataset.reader(lambda: [np.full((2, 2), i) for i in range(6)])
    dataset.splitter(lambda images: Splits(images[:4], images[4:]))
    dataset.parser(lambda images: (images, [image.mean() for image in images]))
    model = Model("images", dict, dataset=dataset)
    model.trainer(lambda model, images, labels: model | {"seen": len(images), "sum": sum(labels)})
    model.evaluator(lambda model, images, labels: float(len(labels)))
    model.predictor(lambda model, images: [model["seen"]] * len(images))
    fitted, metrics = model.train()
    assert fitted == {"seen": 4, "sum": 6.0}
    assert metrics == {"train": 4.0, "validation": 2.0}
    assert model.predict([np.zeros((2, 2))]) == [4]


@pytest.mark.parametrize("giver", ["pyarrow", "penstock"])
def test_tables_of_others_become_dataframes(giver: str, tmp_path: Path) -> None:
    def read() -> Any:
        if giver == "pyarrow":
            return pa.Table.from_pandas(FRAME)
        with sqlite3.connect(tmp_path / "digits.db") as database:
            FRAME.to_sql("digits", database, index=False, if_exists="replace")
        database.close()
        return penstock.read(f"sqlite:///{tmp_path}/digits.db#digits")

    dataset = Dataset("digits", source=read, targets=["target"])
    fitted, _ = train(Model("digits", LogisticRegression, dataset=dataset))
    assert list(fitted.feature_names_in_) == list(FRAME.columns[:-1])


@pytest.mark.parametrize("form", ["frame", "records", "columns", "record", "file"])
def test_features_come_in_any_form_and_order(form: str, tmp_path: Path) -> None:
    model = classifier()
    fitted, _ = train(model)
    rows = FRAME.head(3).drop(columns="target")
    expected = fitted.predict(rows)
    shuffled = rows[rows.columns[::-1]]
    file = tmp_path / "features.json"
    file.write_text(json.dumps(shuffled.to_dict(orient="records")))
    given = {
        "frame": shuffled.assign(target=0),
        "records": shuffled.to_dict(orient="records"),
        "columns": shuffled.to_dict(orient="list"),
        "record": shuffled.to_dict(orient="records")[0],
        "file": file,
    }[form]
    predicted = model.predict(given)
    np.testing.assert_array_equal(predicted, expected[: len(predicted)])


def test_callbacks_see_each_prediction_and_never_fail_it(caplog: Any) -> None:
    seen = []
    model = classifier()

    def note(model: Any, features: Any, predictions: Any) -> None:
        seen.append(len(predictions))

    def fail(model: Any, features: Any, predictions: Any) -> None:
        raise RuntimeError("monitoring is down")

    @model.predictor(callbacks=[fail, note])
    def predict(model: Any, X: Any) -> Any:
        return model.predict(X)

    train(model)
    with caplog.at_level(logging.ERROR, "penstock"):
        assert len(model.predict(FRAME.head(4))) == 4
    assert seen == [4]
    assert "the callback 'fail' failed" in caplog.text
    assert model.predict_callbacks == [fail, note]


def test_a_file_keeps_model_hyperparameters_and_metrics(tmp_path: Path) -> None:
    model = classifier()
    _, metrics = train(model)
    model.save(tmp_path / "model.joblib")
    other = classifier()
    other.load(tmp_path / "model.joblib")
    assert other.artifact is not None
    assert other.artifact.metrics == metrics
    assert other.artifact.hyperparameters == {"max_iter": 2000}
    buffer = io.BytesIO()
    model.save(buffer)
    buffer.seek(0)
    other.load(buffer)
    np.testing.assert_array_equal(other.predict(FRAME), model.predict(FRAME))


def test_a_saver_and_a_loader_of_ones_own(tmp_path: Path) -> None:
    model = classifier()

    @model.saver
    def save(fitted: Any, hyperparameters: dict | None, file: Path, *, note: str = "") -> Path:
        file.write_text(json.dumps({"coef": fitted.coef_.tolist(), "note": note}))
        return file

    @model.loader
    def load(file: Path) -> str:
        return json.loads(Path(file).read_text())["note"]

    train(model)
    assert model.save(tmp_path / "m.json", note="mine") == tmp_path / "m.json"
    assert model.load(tmp_path / "m.json") == "mine"


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    with pytest.raises(penstock.FailedPreconditionError, match="set PENSTOCK_MODEL_PATH to its"):
        model.load_from_env()
    train(model)
    model.save(tmp_path / "model.joblib")
    monkeypatch.setenv("UNIONML_MODEL_PATH", str(tmp_path / "model.joblib"))
    assert isinstance(classifier().load_from_env(), LogisticRegression)
    monkeypatch.setenv("MINE", str(tmp_path / "gone.joblib"))
    with pytest.raises(penstock.NotFoundError, match=r"there is no file '.*gone\.joblib'"):
        model.load_from_env("MINE")


def test_one_artifact_is_meant(tmp_path: Path) -> None:
    model = classifier()
    fitted, _ = train(model)
    model.save(tmp_path / "model.joblib")
    assert model.resolve_model_artifact().model_object is fitted
    assert model.resolve_model_artifact(model_object="x").model_object == "x"
    assert model.resolve_model_artifact(model_file=tmp_path / "model.joblib").metrics
    with pytest.raises(ValueError, match="'model_object' and 'model_file' were given; give one"):
        model.resolve_model_artifact(model_object="x", model_file="y")


# Hyperparameters.


@dataclasses.dataclass
class Settings:
    C: float
    max_iter: int = 2000


def test_hyperparameters_come_from_a_signature_a_dataclass_or_a_dictionary() -> None:
    by_signature = classifier()
    assert by_signature.hyperparameter_type().C == 1.0
    by_dataclass = classifier(hyperparameters=Settings)
    fitted, _ = by_dataclass.train(hyperparameters=Settings(C=0.5))
    assert (fitted.C, fitted.max_iter) == (0.5, 2000)
    with pytest.raises(InvalidArgumentError, match="hyperparameters lacks 'C', which has no"):
        Model("m", dataset=digits(), hyperparameters=Settings).train()
    by_types = classifier(hyperparameter_config={"C": float, "max_iter": int})
    fitted, _ = by_types.train(hyperparameters={"C": 2, "max_iter": 2000})
    assert isinstance(fitted.C, float)


def test_no_call_freezes_the_hyperparameters_of_the_next() -> None:
    model = classifier()
    for given in ({"C": 1.0, "max_iter": 50}, None, {"tol": 0.01}, {"C": 1}, {"C": 0.25}):
        fitted, _ = model.train(hyperparameters=given)
        assert (given or {}).get("C", 1.0) == fitted.C


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"c": 1.0}, r"hyperparameters has 'c', which the model does not take; .* mean 'C'\?"),
        ({"C": "big"}, "hyperparameter 'C' is 'big', of type str; float was expected"),
        ({"max_iter": 1.5}, "hyperparameter 'max_iter' is 1.5, of type float; int was expected"),
        ({"C": -1.0}, r"out of range: The 'C' parameter of LogisticRegression must be .*Got -1\.0"),
        ([1], r"hyperparameters is \[1\]; a dictionary or an instance of a dataclass"),
    ],
)
def test_a_wrong_hyperparameter_is_told_with_what_was_expected(given: Any, told: str) -> None:
    model = classifier(hyperparameter_config={"C": float, "max_iter": int})
    with pytest.raises(InvalidArgumentError, match=told):
        model.train(hyperparameters=given)
    assert model.artifact is None


@dataclasses.dataclass
class Bounded:
    C: Annotated[float, penstock.Range(0.001, 100)] = 1.0
    max_iter: Annotated[int, penstock.Range(low=1)] = 100
    solver: Literal["lbfgs", "saga"] = "lbfgs"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"C": 200}, "hyperparameter 'C' is 200; 0.001 to 100 was expected"),
        ({"C": math.nan}, "hyperparameter 'C' is nan; 0.001 to 100 was expected"),
        ({"max_iter": 0}, "hyperparameter 'max_iter' is 0; at least 1 was expected"),
        ({"max_iter": 1.5}, "hyperparameter 'max_iter' is 1.5, of type float; int was expected"),
        ({"solver": "sag"}, "hyperparameter 'solver' is 'sag'; one of 'lbfgs' and 'saga' was"),
        ({"solver": 1}, "hyperparameter 'solver' is 1; one of 'lbfgs' and 'saga' was expected"),
        ({"C": None}, "hyperparameter 'C' is None, of type NoneType; float was expected"),
    ],
)
def test_a_hyperparameter_out_of_its_range_is_told_with_the_range(given: Any, told: str) -> None:
    read: list[int] = []
    dataset = Dataset("digits", source=lambda: read.append(1) or FRAME, targets=["target"])
    for model in (
        Model("m", LogisticRegression, dataset=dataset, hyperparameters=Bounded),
        Model(
            "m",
            LogisticRegression,
            dataset=dataset,
            hyperparameters={
                "C": penstock.Range(0.001, 100.0),
                "max_iter": penstock.Range(1),
                "solver": Literal["lbfgs", "saga"],
            },
        ),
    ):
        with pytest.raises(InvalidArgumentError, match=told.replace("100 was", "100(.0)? was")):
            model.train(hyperparameters=given)
    assert read == []


@pytest.mark.parametrize("role", ["reader", "loader", "feature_transformer"])
def test_a_step_without_a_return_is_named(role: str) -> None:
    dataset = digits()

    def forgotten(*given: Any) -> Any:
        pass

    def read() -> Any:
        pass

    getattr(dataset, role)(read if role == "reader" else forgotten)
    name = "read" if role == "reader" else "forgotten"
    with pytest.raises(InvalidArgumentError, match=f"the {role} '{name}' returned nothing; return"):
        classifier(dataset).train()


def test_a_target_with_some_nulls_is_told_before_the_fit() -> None:
    frame = FRAME.assign(target=FRAME["target"].astype(object))
    frame.loc[[1, 5, 9], "target"] = None
    dataset = Dataset("digits", source=lambda: frame, targets=["target"], test_size=0)
    with pytest.raises(InvalidArgumentError, match="the target 'target' has 3 nulls in 1797 rows"):
        classifier(dataset).train()


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("good", "returned as a str for the split 'train'; a number"),
        ({"auc": np.array([1, 2])}, "returned 'auc' as a ndarray for the split"),
        ({"auc": {"yes": float("nan")}}, "returned 'yes' NaN for the split 'train'"),
        (np.float32("nan"), "returned NaN for the split"),
    ],
)
def test_a_metric_is_a_number_or_numbers_by_name(metric: Any, told: str) -> None:
    model = classifier()
    model.evaluator(lambda model, X, y: metric)
    with pytest.raises(InvalidArgumentError, match=told):
        train(model)


def test_metrics_are_kept_as_numbers_of_python() -> None:
    model = classifier()
    model.evaluator(lambda model, X, y: {"a": np.float32(0.5), "b": {"c": np.int64(3)}, "d": True})
    _, metrics = train(model)
    assert repr(metrics["test"]) == "{'a': 0.5, 'b': {'c': 3}, 'd': True}"


def test_a_range_takes_the_numbers_of_numpy_and_what_the_hint_takes_beside() -> None:
    assert np.int64(5) in penstock.Range(1, 10)
    assert np.float32(0.5) in penstock.Range(0, 1)
    assert np.float64("nan") not in penstock.Range()

    def init(
        share: Annotated[float | None, penstock.Range(0, 1)] = None,
        features: Literal["sqrt", 0.5] = "sqrt",
    ) -> LogisticRegression:
        asked.append((share, features))
        return LogisticRegression(max_iter=2000)

    asked: list[Any] = []
    model = Model("m", init, dataset=digits())
    for given in ({"share": None, "features": 0.5}, {"share": 1}):
        model.train(hyperparameters=given)
    assert asked == [(None, 0.5), (1, "sqrt")]
    with pytest.raises(InvalidArgumentError, match="hyperparameter 'share' is 2; 0 to 1 was"):
        model.train(hyperparameters={"share": 2})


def test_a_range_that_cannot_be_is_told_where_it_stands() -> None:
    with pytest.raises(InvalidArgumentError, match="the range 2 to 1 has no values"):
        penstock.Range(2, 1)
    with pytest.raises(InvalidArgumentError, match="an end of a range is 'a'; a number"):
        penstock.Range("a", 3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"hyperparameter 'C' is 1\.0; at most 0\.5 was"):
        classifier(hyperparameters={"C": penstock.Range(high=0.5)})

    def untrained(C: Annotated[float, penstock.Range(0, 1)] = 2.0) -> LogisticRegression:
        return LogisticRegression(C=C)

    with pytest.raises(InvalidArgumentError, match="hyperparameter 'C' is 2.0; 0 to 1 was"):
        Model("m", untrained, dataset=digits())


def test_any_hyperparameters_reach_an_init_of_one_dictionary() -> None:
    model = Model("digits", dataset=digits())

    @model.init
    def init(hyperparameters: dict) -> Pipeline:
        steps = [("scaler", StandardScaler()), ("classifier", LogisticRegression())]
        return Pipeline(steps).set_params(**hyperparameters)

    fitted, _ = model.train(hyperparameters={"classifier__C": 0.1, "classifier__max_iter": 500})
    assert fitted.named_steps["classifier"].C == 0.1


def test_a_function_of_typed_keywords_is_a_model() -> None:
    @penstock.data_reader(targets=["target"])
    def pictures(rows: int = 300) -> pd.DataFrame:
        return FRAME.head(rows)

    @penstock.model(dataset=pictures)
    def reader_of_digits(C: float = 1.0, max_iter: int = 500) -> LogisticRegression:
        return LogisticRegression(C=C, max_iter=max_iter)

    fitted, _ = reader_of_digits.train(hyperparameters={"C": 0.5}, rows=200)
    assert (reader_of_digits.name, fitted.C, fitted.max_iter) == ("reader_of_digits", 0.5, 500)


# What decorators refuse: at once, in any order, with the way to mend it.


def test_a_function_is_held_against_its_call_when_it_is_decorated() -> None:
    model, dataset = classifier(), digits()
    with pytest.raises(InvalidArgumentError, match=r"the trainer 'fit' takes 1 argument by posit"):

        @model.trainer
        def fit(model):
            return model

    with pytest.raises(InvalidArgumentError, match=r"also takes 'more'; .* put a '\*' before it"):

        @model.predictor
        def predict(model, X, more):
            return X

    with pytest.raises(InvalidArgumentError, match="takes 2 arguments by position; it is called"):

        @model.predictor(callbacks=[lambda model, X: None])
        def predict_too(model, X):
            return X

    with pytest.raises(InvalidArgumentError, match=r"the loader is 3; a function was expected"):
        dataset.loader(3)


@pytest.mark.parametrize("is_reader_first", [True, False])
def test_types_are_held_against_each_other_in_any_order(is_reader_first: bool) -> None:
    dataset = Dataset("numbers")

    def read() -> list[int]:
        return [1]

    def load(raw: pd.DataFrame) -> pd.DataFrame:
        return raw

    first, second = (dataset.reader, read), (dataset.loader, load)
    if not is_reader_first:
        first, second = second, first
    first[0](first[1])
    with pytest.raises(
        InvalidArgumentError,
        match=r"the loader 'load' takes 'raw' as DataFrame, and the reader 'read' gives list",
    ):
        second[0](second[1])


def test_types_that_fit_pass() -> None:
    dataset = Dataset("numbers")
    dataset.reader(read_frame)
    dataset.loader(load_either)
    model = Model("m", LogisticRegression, dataset=dataset)

    @model.trainer
    def fit(model: Any, X: Undefined, y: pd.DataFrame) -> LogisticRegression:  # noqa: F821
        return model

    @model.predictor
    def predict(model: LogisticRegression | Ridge, X: pd.DataFrame) -> list[float]:
        return []

    with pytest.raises(InvalidArgumentError, match="takes 'model' as Ridge, and the trainer 'fit'"):

        @model.evaluator
        def judge(model: Ridge, X: pd.DataFrame, y: pd.DataFrame) -> float:
            return 0.0


def read_frame() -> pd.DataFrame:
    return FRAME


def load_either(raw: pd.DataFrame | list[int]) -> pd.DataFrame:
    return pd.DataFrame(raw)


# A bad day.


def refused(model: Model, match: str, **kwargs: Any) -> None:
    with pytest.raises(penstock.PenstockError, match=match):
        model.train(**kwargs)
    assert model.artifact is None


def test_what_does_not_fit_is_told_in_one_sentence() -> None:
    model = classifier(Dataset("d", source=lambda: FRAME.head(0), targets=["target"]))
    refused(model, "the dataset 'd' has no rows; look at what its reader returns")
    model = classifier(Dataset("d", source=lambda: FRAME, targets=["targt"]))
    refused(model, r"targets names the column 'targt', .*Did you mean 'target'\?")
    model = classifier(Dataset("d", source=lambda: FRAME, features=["pixel_0_9"]))
    refused(model, r"features names the column 'pixel_0_9', .*Did you mean 'pixel_0_\d'\?")
    empty = FRAME.assign(target=np.nan)
    model = classifier(Dataset("d", source=lambda: empty, targets=["target"]))
    refused(model, "the target 'target' has no values, all 1437 are null")
    model = classifier(Dataset("d", source=lambda: FRAME.head(1), targets=["target"]))
    refused(model, r"1 rows cannot be split with test_size=0\.2")
    refused(classifier(Dataset("d")), "the dataset 'd' has no source: pass source=, or decorate")
    refused(Model("m", dataset=digits()), "has nothing that makes an untrained model: pass init=")
    with pytest.raises(InvalidArgumentError, match=r"targets is 'y'; a list .*: \['y'\]"):
        Dataset("d", targets="y")
    with pytest.raises(InvalidArgumentError, match=r"goal is 'min'; 'maximize' and 'minimize'"):
        classifier(goal="min")


def test_a_trainer_that_returns_nothing_and_one_that_raises() -> None:
    model = classifier()
    model.trainer(lambda model, X, y: None)
    refused(model, "the trainer '<lambda>' returned nothing; return the trained model at its end")
    mine = KeyError("mine")

    @model.trainer
    def fit(model: Any, X: Any, y: Any) -> Any:
        raise mine

    with pytest.raises(KeyError) as raised:
        model.train()
    assert raised.value is mine
    assert raised.traceback[-1].name == "fit"


def test_metrics_that_compare_with_nothing_are_refused() -> None:
    model = classifier()
    model.evaluator(lambda model, X, y: float("nan"))
    refused(model, "returned NaN for the split 'train', which compares with nothing")
    model.evaluator(lambda model, X, y: {"f1": None})
    refused(model, "returned nothing 'f1' for the split 'train'; return a number")


def test_a_class_that_only_the_test_split_has_is_told() -> None:
    frame = pd.DataFrame({"x": range(10), "y": ["a", "b"] * 4 + ["a", "c"]})
    dataset = Dataset("d", source=lambda: frame, targets=["y"], shuffle=False)
    with pytest.warns(UserWarning, match="the class 'c' of 'y' is in the test split alone"):
        Model("m", LogisticRegression, dataset=dataset).train()


def test_arguments_that_no_step_takes_are_refused() -> None:
    model = classifier()
    refused(
        model,
        r"splitter_kwargs has 'tset_size'.*mean 'test_size'",
        splitter_kwargs={"tset_size": 1},
    )
    refused(
        model, "loader_kwargs has 'x'; the dataset 'digits' has no loader", loader_kwargs={"x": 1}
    )
    refused(model, "trainer_kwargs has 'x'; the model 'digits' has no", trainer_kwargs={"x": 1})
    refused(model, "the call has 'rows', which the reader '<lambda>' does not take", rows=1)

    @model.trainer
    def fit(model: Any, X: Any, y: Any, *, epochs: int) -> Any:
        return model.fit(X, y)

    refused(model, "'epochs', which has no default: give it as trainer_kwargs")
    refused(model, "trainer_kwargs has 'epoch'.*mean 'epochs'", trainer_kwargs={"epoch": 1})


def test_features_that_do_not_fit_the_trained_model_are_refused() -> None:
    with pytest.raises(penstock.FailedPreconditionError, match="is not trained: call train, or"):
        classifier().predict(FRAME)
    model = classifier(
        Dataset("d", source=lambda: FRAME, features=["pixel_3_3"], targets=["target"])
    )
    model.train()
    with pytest.raises(InvalidArgumentError, match="features names the column 'pixel_3_3', which"):
        model.predict([{"pixel_3_4": 1}])
    model = classifier()
    train(model)
    rows = FRAME.head(2).drop(columns="target")
    with pytest.raises(InvalidArgumentError, match="no column 'pixel_3_3', which the model was tr"):
        model.predict(rows.drop(columns="pixel_3_3"))
    with pytest.raises(InvalidArgumentError, match="has the column 'new', which the model was not"):
        model.predict(rows.assign(new=1))
    with pytest.raises(InvalidArgumentError, match="features has no rows"):
        model.predict(rows.head(0))


def test_nothing_runs_when_an_app_is_imported_and_no_file_is_imported_twice(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import pandas as pd\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "import penstock\n"
        "print('imported')\n"
        "rows = penstock.Dataset('rows', targets=['y'])\n"
        "model = penstock.Model('m', LogisticRegression, dataset=rows)\n"
        "@rows.reader\n"
        "def read() -> pd.DataFrame:\n"
        "    print('read')\n"
        "    return pd.DataFrame({'x': range(20), 'y': [0, 1] * 10})\n"
        "model.train()\n"
        "model.predict([{'x': 1}])\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "app.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "imported\nread\n"


def test_a_y_of_another_length_than_the_rows_is_told() -> None:
    X = FRAME.drop(columns="target")
    model = LogisticRegression(max_iter=2000).fit(X, FRAME["target"])
    with pytest.raises(InvalidArgumentError, match="y has 2 values and X 1,797 rows; one value"):
        penstock.register(model, X, [1, 2], name="digits")
    with pytest.raises(penstock.NotFoundError):
        penstock.load("digits")
