"""``@penstock.model``: a model of one function."""

from __future__ import annotations

from typing import Any

from penstock._app.dataset import Dataset
from penstock._app.model import Model
from penstock._app.steps import Function


def model(
    function: Function | None = None,
    /,
    *,
    dataset: Dataset,
    name: str | None = None,
    **settings: Any,
) -> Any:
    """Decorate a function that makes an untrained model; its keywords are the hyperparameters.

    Parameters
    ----------
    dataset
        What the model is trained on.
    name
        Of the model; None: the function's.
    **settings
        As ``Model`` takes them.

    Examples
    --------
    >>> customers = penstock.Dataset("customers", source=lambda: frame, targets=["churned"])
    >>> @penstock.model(dataset=customers)
    ... def churn(C: float = 1.0) -> LogisticRegression:
    ...     return LogisticRegression(C=C)
    >>> churn
    Model('churn', dataset 'customers', not trained)
    """

    def decorate(decorated: Function) -> Model:
        return Model(name or decorated.__name__, decorated, dataset=dataset, **settings)

    return decorate if function is None else decorate(function)
