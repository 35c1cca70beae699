"""What a Python worker adds to a call: the engine's call against the model's own predict.

`.venv/bin/python bench/worker.py` prints the medians of calls that take turns, in microseconds. The
model itself does next to nothing, so that what is left is the way to it: a frame to the worker, the
rows in the user's container there, and the answer back.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import _penstock
import penstock
from penstock._containers import contain

sys.path.insert(0, str(Path(__file__).parent))
CALLS = 2000
WARM_UP = 200
ROWS = (1, 64, 1024)


class Sum:
    """A model that costs a few microseconds."""

    def predict(self, X: Any) -> Any:
        """Return the sum of each row's numbers."""
        if isinstance(X, np.ndarray):
            return X.sum(axis=1)
        return X["x0"].to_numpy() + X["x1"].to_numpy()


def microseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1000


def measure(model: Sum, X: Any, home: str) -> list[tuple[int, float, float]]:
    """Return, for each number of rows, the medians of predict and of a call to the worker."""
    version = penstock.register(model, X, name="sum", home=home)
    predictor = _penstock.predictor(version._unpacked.path)
    types = contain(X).types()
    told = []
    for rows in ROWS:
        part = X[:rows]
        columns = contain(part).to_columns(types)
        own, through = [], []
        for _ in range(WARM_UP + CALLS):
            own.append(microseconds(lambda part=part: model.predict(part)))
            through.append(microseconds(lambda columns=columns: predictor.predict(columns)))
        medians = (statistics.median(times[WARM_UP:]) for times in (own, through))
        told.append((rows, *medians))
    return told


def main() -> None:
    """Print one line for each container and number of rows."""
    random = np.random.default_rng(0)
    array = random.normal(size=(max(ROWS), 8))
    mixed = pd.DataFrame(array, columns=[f"x{i}" for i in range(8)])
    mixed["plan"] = random.choice(["basic", "plus"], len(mixed))
    print(f"{'container':<28}{'rows':>6}{'predict':>10}{'worker':>10}{'added':>10}")
    for name, X in (("array, 8 columns", array), ("DataFrame, 8 and a text", mixed)):
        with tempfile.TemporaryDirectory() as home:
            for rows, own, through in measure(Sum(), X, home):
                print(f"{name:<28}{rows:>6}{own:>10.0f}{through:>10.0f}{through - own:>10.0f}")


if __name__ == "__main__":
    main()
