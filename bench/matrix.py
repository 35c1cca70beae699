"""Register every model of tests/python/matrix.py and write docs/reference/models.md.

python bench/matrix.py            all of them
python bench/matrix.py WORD ...   those whose name has a word in it; prints, and writes nothing
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sklearn
from threadpoolctl import threadpool_limits

import penstock

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "models.md"
sys.path.insert(0, str(ROOT / "tests" / "python"))

ENGINES = {"own": "own evaluator", "onnxruntime": "ONNX Runtime", "python": "none"}

INTRODUCTION = """# Models

Which models run natively, and how their answers compare with the original's.
`python bench/matrix.py` fits every model of `tests/python/matrix.py`, registers it and writes this
page; `tests/python/test_matrix.py` holds each to the engine told here. Fitted by scikit-learn
{sklearn}, LightGBM {lightgbm}, XGBoost {xgboost}.

- **checked**: rows of the data set and probes (missing, infinite, huge, unseen values) on which the
  native answer was held against the original's; none may differ
  ([how](../internals/parity.md)).
- **difference**: the greatest, of a prediction or a probability; 0 is equality to the last bit.
- **Python, native**: the median of calls of one row, in µs, the model alone: `predict` and
  `predict_proba` of the original; the engine, with its tensors filled. One thread, on a machine
  that others used too: think nothing of differences below threefold.

"""

ENGINE_NOTES = """
## Which engine runs what

- **The own evaluator** repeats a library's arithmetic in its order and precision: linear models,
  trees, forests, boosting of scikit-learn, LightGBM and XGBoost, with scalers, imputers, encoders
  and column transformers before them. XGBoost computes in float32, and so does its step; only the
  exponential function may differ in the last bit of a float32.
- **ONNX Runtime** runs what skl2onnx converts: kernels that are not linear, naive Bayes, neural
  networks, PCA, polynomial features, ensembles of unlike models, clusters, outliers, text. In
  float64 where the converted graph has it, else in float32.
- **None**: the converted graph does not give the original's answers, or there is none. Such a
  model is served by Python workers, as it is; the sentences below say why.

What has no form for the own evaluator, and tells the reason when you ask for `engine="own"`:

- LightGBM with `linear_tree`, `zero_as_missing`, `reg_sqrt`, one-against-all classes or an
  objective of your own; XGBoost with `dart`, `gblinear` or trees of several outputs.
- A model whose class overrides what predicts.
- Numbers that are categories and are refused when they were not seen (a category dtype of
  integers, `OneHotEncoder()` on a column of integers): a request could not be told from one that
  is answered. Cast the column to text before fitting, or let the encoder take what it does not
  know.

In ONNX Runtime nearest neighbours and Gaussian processes take as long as in Python, or longer: what
they gain is that the service needs no Python.

Without a native form:

"""


@dataclass(frozen=True)
class Result:
    """What became of a row."""

    name: str
    data: str
    engine: str
    checked: str
    difference: str
    python_us: str
    native_us: str
    reason: str

    def line(self) -> str:
        """Return the row of the table."""
        cells = [self.name, self.data, ENGINES[self.engine], self.checked, self.difference]
        return f"| {' | '.join([*cells, self.python_us, self.native_us])} |"


def measure(row: Any, home: str) -> Result:
    """Fit and register a row's model."""
    X, y = row.data()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = row.model().fit(X, y)
        version = penstock.register(model, X, y, name="m", home=home)
    report = version.parity.report
    form = next((form for form in report["candidates"] if form["passed"]), None)
    return Result(
        name=f"{row.name}",
        data=row.data.__name__,
        engine=version.engine,
        checked=f"{version.parity.rows:,} + {version.parity.probes:,}",
        difference=f"{form['absolute_max']:.0e}".replace("0e+00", "0") if form else "",
        python_us=f"{report['original_row_ns'] / 1e3:,.0f}" if report["candidates"] else "",
        native_us=f"{form['row_ns'] / 1e3:,.2f}" if form else "",
        reason=version.engine_reason,
    )


def page(results: list[Result], data: list[Any]) -> str:
    """Return the text of the page."""
    from importlib.metadata import version

    text = INTRODUCTION.format(
        sklearn=sklearn.__version__,
        lightgbm=version("lightgbm"),
        xgboost=version("xgboost-cpu"),
    )
    text += "".join(f"- **{each.__name__}**: {each.__doc__}\n" for each in data)
    text += "\n| model | data | engine | checked | difference | Python | native |\n"
    text += "|---|---|---|---:|---:|---:|---:|\n"
    text += "".join(f"{result.line()}\n" for result in results)
    text += ENGINE_NOTES
    for result in results:
        if result.engine == "python":
            text += f"- `{result.name}`: {result.reason}\n"
    return text


def main(words: list[str]) -> int:
    """Measure the rows and write the page, or print some of them."""
    from matrix import ROWS

    results = []
    chosen = [row for row in ROWS if not words or any(word in row.name for word in words)]
    with tempfile.TemporaryDirectory() as home:
        for row in chosen:
            start = time.monotonic()
            result = measure(row, home)
            seconds = time.monotonic() - start
            told = "" if result.engine == row.engine else f" not {row.engine}: {result.reason}"
            print(f"{result.line()} {seconds:.1f} s{told}", flush=True)
            results.append(result)
    if not words:
        PAGE.write_text(page(results, list(dict.fromkeys(row.data for row in ROWS))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
