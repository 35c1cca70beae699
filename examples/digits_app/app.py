"""An app: where the rows are, which model is trained on them, and what makes it a service."""

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

import penstock

digits = penstock.Dataset("digits", source="sqlite:///digits.db#digits", targets=["target"])
model = penstock.Model("digits", LogisticRegression, dataset=digits)


@model.evaluator
def evaluate(
    fitted: LogisticRegression, features: pd.DataFrame, targets: pd.DataFrame
) -> dict[str, float]:
    predicted = fitted.predict(features)
    return {
        "accuracy": accuracy_score(targets, predicted),
        "f1": f1_score(targets, predicted, average="macro"),
    }


if __name__ == "__main__":
    fitted, metrics = model.train(hyperparameters={"C": 0.01, "max_iter": 5000})
    print(metrics["test"])
    version = model.register()
    print(version)
    with version.serve() as service:
        print(service)
