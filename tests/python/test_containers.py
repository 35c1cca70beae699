"""The containers that register takes, and that the model gets back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

import penstock
from penstock import _columns
from penstock._checks import check_values
from penstock._containers import contain

FRAMES = {
    "dtypes": pd.DataFrame(
        {
            "i8": np.array([1, 2, 3], dtype=np.int8),
            "u16": np.array([1, 2, 3], dtype=np.uint16),
            "f4": np.array([1.5, np.nan, 3], dtype=np.float32),
            "f2": np.array([1.5, 2, 3], dtype=np.float16),
            "b": [True, False, True],
            "s": ["a", None, "c"],
            "o": pd.Series(["a", None, "c"], dtype=object),
            "c": pd.Categorical(["u", "v", None], categories=["v", "u", "w"], ordered=True),
            "ci": pd.Categorical([3, 1, 3]),
            "I": pd.array([1, None, 3], dtype="Int64"),
            "B": pd.array([True, None, False], dtype="boolean"),
            "on": pd.Series([1, 2.5, 3], dtype=object),
        }
    ),
    "homogeneous": pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=list("abc")),
    "unnamed": pd.DataFrame(np.arange(6).reshape(2, 3)),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_frame_comes_back_as_it_was(frame: pd.DataFrame) -> None:
    container = contain(frame)
    rebuilt = container.rebuild(container.to_columns(container.types()))
    pd.testing.assert_frame_equal(rebuilt, frame)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.array([[True, False], [False, True]]),
        np.array([["a", "bc"], ["d", "e"]]),
        np.array([["a", 1.5, True], ["b", 2.5, False]], dtype=object),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_comes_back_as_it_was(array: np.ndarray) -> None:
    container = contain(array)
    rebuilt = container.rebuild(container.to_columns(container.types()))
    np.testing.assert_array_equal(rebuilt, array)
    assert rebuilt.dtype == array.dtype.newbyteorder("=")


def test_a_list_of_rows_stays_one() -> None:
    rows = [[1, "a"], [2, "b"]]
    container = contain(rows)
    assert container.types() == ["int64", "string"]
    assert container.rebuild(container.to_columns(container.types())) == rows


def test_a_dtype_gives_way_to_values_beyond_it() -> None:
    frame = pd.DataFrame({"small": np.array([1, 2], dtype=np.int16)})
    container = contain(frame)
    large = container.rebuild([np.array([70_000, 1])])
    assert large["small"].tolist() == [70_000, 1]
    gap = container.rebuild([np.array([np.nan, 1.0])])
    assert gap["small"].dtype == np.float64
    kinds = contain(pd.DataFrame({"kind": pd.Categorical(["a", "b"])}))
    assert kinds.rebuild([["a", "new"]])["kind"].tolist() == ["a", "new"]


def test_float64_columns_are_shared_not_copied() -> None:
    frame = pd.DataFrame({"a": np.arange(5.0), "b": np.arange(5)})
    columns = contain(frame).to_columns(["float64", "int64"])
    assert np.shares_memory(columns[0], frame["a"].to_numpy())
    assert np.shares_memory(columns[1], frame["b"].to_numpy())


DTYPES_OF = {np.ndarray: lambda X: [X.dtype], pd.DataFrame: lambda X: X.dtypes}


class Recorder(RegressorMixin, BaseEstimator):
    """A model that notes in what its rows arrive."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        SEEN.append((type(X), [str(dtype) for dtype in DTYPES_OF[type(X)](X)]))
        return np.zeros(len(X))


SEEN: list[tuple[type, list[str]]] = []


@pytest.mark.parametrize("is_frame", [True, False])
def test_the_model_gets_rows_in_the_users_container(is_frame: bool) -> None:
    SEEN.clear()
    frame = pd.DataFrame({"a": np.arange(20, dtype=np.int32), "b": np.arange(20, dtype=np.int32)})
    X = frame if is_frame else frame.to_numpy()
    penstock.register(Recorder().fit(X), X, name="m")
    assert {kind for kind, _ in SEEN} == {type(X)}
    assert (type(X), ["int32", "int32"] if is_frame else ["int32"]) in SEEN


def test_arrow_tables_are_taken() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", "y"]})
    container = contain(pyarrow.Table.from_pandas(frame))
    assert container.names == ("a", "s")
    assert container.types() == ["int64", "string"]


@pytest.mark.parametrize(
    "make",
    [
        lambda cells: cells.astype(np.uint8),
        lambda cells: pd.DataFrame(cells.astype(str)),
        lambda cells: pd.DataFrame(cells.astype(str).astype(object)),
        lambda cells: pd.DataFrame(cells).astype("Int64"),
    ],
    ids=["uint8", "str", "object", "Int64"],
)
def test_no_cell_is_looked_at_by_python(make, monkeypatch: pytest.MonkeyPatch) -> None:
    container = contain(make(np.arange(2000).reshape(1000, 2) % 200))
    asked = []
    monkeypatch.setattr(_columns, "is_missing", asked.append)
    container.to_columns(container.types())
    check_values(None, container)
    assert not asked


def test_an_unsigned_column_is_refused_beyond_int64_alone() -> None:
    container = contain(np.array([[2**63 - 1], [0]], dtype=np.uint64))
    assert container.to_columns(["int64"])[0].tolist() == [2**63 - 1, 0]
    with pytest.raises(
        penstock.InvalidArgumentError, match="column 'x0' holds 9223372036854775808"
    ):
        contain(np.array([[2**63]], dtype=np.uint64)).to_columns(["int64"])


def test_half_precision_gives_way_to_values_beyond_it() -> None:
    container = contain(np.array([[1.5], [2.5]], dtype=np.float16))
    assert container.rebuild([np.array([0.5, 70000.0], dtype=np.float32)]).tolist() == [
        [0.5],
        [70000.0],
    ]
    assert container.rebuild([np.array([0.5], dtype=np.float32)]).dtype == np.float16
