"""What calls say where the package that they need is not installed, a line each: `name: words`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import penstock


class Always:
    """A model of nobody's library."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros(len(X))


class Foreign:
    """A table of another library, as polars' is."""

    def to_pandas(self) -> object:
        import pandas as pd

        return pd.DataFrame()


dataset = penstock.Dataset(targets=["y"])


@dataset.reader
def reader() -> list[dict[str, float]]:
    return [{"x": float(i), "y": float(i)} for i in range(10)]


def tell(name: str, call: Callable[[], object]) -> None:
    try:
        call()
    except penstock.FailedPreconditionError as error:
        assert isinstance(error, ModuleNotFoundError)
        print(f"{name}: {error}")


rows, saved = Path(sys.argv[1]), Path(sys.argv[2])
model = penstock.Model(init=Always, dataset=dataset)
table = penstock.read(str(rows))
tell("register", lambda: penstock.register(Always(), np.zeros((3, 2)), name="m"))
tell("to_arrow", table.to_arrow)
tell("to_pandas", table.to_pandas)
tell("to_polars", table.to_polars)
tell("train", model.train)
tell("serve", lambda: model.serve(object()))
tell("load", lambda: model.load(saved))
tell("load torch", lambda: model.load(saved.with_suffix(".pt")))
tell("load keras", lambda: model.load(saved.with_suffix(".keras")))
