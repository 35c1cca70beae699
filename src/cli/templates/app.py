"""Which customers leave: read from a file, learned, judged, and answered by a native service."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock import Dataset, Model

# Another source of rows: "sqlite:///shop.db#customers", "data/*.parquet", or a function that
# returns a DataFrame (@customers.reader).
SOURCE = Path(__file__).with_name("customers.csv")

customers = Dataset("customers", source=str(SOURCE), targets=["outcome"], random_state=7)


def untrained(C: float = 1.0, max_iter: int = 1000) -> Pipeline:
    """Return the model before training; its arguments are the hyperparameters."""
    columns = make_column_transformer(
        (StandardScaler(), ["age", "orders", "spent"]),
        (OneHotEncoder(handle_unknown="ignore"), ["plan"]),
    )
    return make_pipeline(columns, LogisticRegression(C=C, max_iter=max_iter))


model = Model("{{name}}", untrained, dataset=customers)


@model.trainer
def train(model: Pipeline, X: pd.DataFrame, y: pd.DataFrame) -> Pipeline:
    return model.fit(X, y["outcome"])


@model.evaluator
def evaluate(model: Pipeline, X: pd.DataFrame, y: pd.DataFrame) -> dict[str, float]:
    return {
        "accuracy": float(accuracy_score(y["outcome"], model.predict(X))),
        "auc": float(roc_auc_score(y["outcome"] == "stayed", model.predict_proba(X)[:, 1])),
    }
