"""A program of a user's who checks types strictly."""

from __future__ import annotations

import pandas as pd
from sklearn.linear_model import LogisticRegression

import penstock

dataset = penstock.Dataset("customers", targets=["churned"])
model = penstock.Model("churn", init=LogisticRegression, dataset=dataset)


@dataset.reader
def reader(rows: int = 100) -> pd.DataFrame:
    return penstock.read(f"customers.csv?query=SELECT * FROM data LIMIT {rows}").to_pandas()


def newest(name: str) -> penstock.ModelVersion:
    version: penstock.ModelVersion = penstock.load(name)
    number: int = version.version
    print(version.name, number, penstock.__version__)
    return version


def serve(version: penstock.ModelVersion) -> str:
    with version.serve(port=0) as service:
        url: str = service.url
    return url


def main(frame: pd.DataFrame) -> None:
    fitted = LogisticRegression().fit(frame[["age"]], frame["churned"])
    try:
        version = penstock.register(fitted, frame[["age"]], name="churn")
    except penstock.InvalidArgumentError as error:
        code: str = error.code
        print(code)
        return
    print(version.predict_proba(frame[["age"]]).shape, newest("churn").digest, serve(version))
