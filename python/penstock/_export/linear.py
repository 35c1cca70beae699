"""Linear models for the own evaluator."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock._export import NotExportableError
from penstock._export.parts import keeps
from penstock._export.program import Given, Program, check_float

if TYPE_CHECKING:
    from penstock._export import Subject


def is_linear_regressor(model: Any) -> bool:
    """Tell whether a model predicts as scikit-learn's linear regressors do."""
    from sklearn.linear_model import ARDRegression, BayesianRidge, ElasticNet, SGDRegressor, _base
    from sklearn.svm._base import BaseLibSVM

    if keeps(model, SGDRegressor, "predict", "_decision_function"):
        return True
    if _is_linear_machine(model, BaseLibSVM, "predict", "_dense_predict"):
        return True
    # These predicts add an option, or a docstring, to LinearModel's. The class for several targets
    # came with scikit-learn 1.9.
    LinearModel = _base.LinearModel
    several = getattr(_base, "MultiOutputLinearModel", LinearModel)
    predicts = (LinearModel, several, BayesianRidge, ARDRegression)
    own_decision = any(
        keeps(model, base, "_decision_function") for base in (LinearModel, ElasticNet)
    )
    return own_decision and (
        any(keeps(model, base, "predict") for base in predicts) or _is_ridge(model)
    )


def _is_ridge(model: Any) -> bool:
    from sklearn.linear_model import Ridge, RidgeCV

    return any(keeps(model, base, "predict") for base in (Ridge, RidgeCV))


def _is_linear_machine(model: Any, base: type, *methods: str) -> bool:
    """Tell whether a support vector machine weighs columns, as one with a linear kernel does."""
    return keeps(model, base, *methods) and model.kernel == "linear"


def _is_voting_machine(model: Any) -> bool:
    """Tell whether a model predicts as SVC does: labels by votes, no probabilities."""
    from sklearn.svm._base import BaseSVC

    return (
        _is_linear_machine(model, BaseSVC, "predict", "_dense_predict")
        and not model.break_ties
        and not hasattr(model, "predict_proba")
    )


def is_linear_classifier(model: Any) -> bool:
    """Tell whether a model predicts as scikit-learn's linear classifiers do."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
    from sklearn.linear_model._base import LinearClassifierMixin

    if _is_voting_machine(model):
        return True
    decisions = (LinearClassifierMixin, LinearDiscriminantAnalysis)
    if not any(keeps(model, base, "decision_function") for base in decisions):
        return False
    if not any(
        keeps(model, base, "predict")
        for base in (LinearClassifierMixin, RidgeClassifier, RidgeClassifierCV)
    ):
        return False
    return not hasattr(model, "predict_proba") or _link_of(model) is not None


def _link_of(model: Any) -> str | None:
    """Return how decision values become probabilities; None where no step does it."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    is_binary = len(model.classes_) == 2
    if any(
        keeps(model, base, "predict_proba")
        for base in (LogisticRegression, LinearDiscriminantAnalysis)
    ):
        return "logistic" if is_binary else "softmax"
    if keeps(model, SGDClassifier, "predict_proba") and model.loss == "log_loss":
        return "logistic" if is_binary else "one_vs_rest"
    return None


def add_linear_regressor(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the regressor's step and return the precision of its answers."""
    return _add_linear(program, model, given, "identity")


def add_linear_classifier(program: Program, model: Any, given: Given, subject: Subject) -> str:
    """Add the classifier's step and return the precision of its answers."""
    if _is_voting_machine(model):
        if len(model.classes_) > 2:
            return _add_linear(program, model, given, "one_vs_one")
        precision = _add_linear(program, model, given, "identity_decision")
        program.steps[-1]["zero_is_positive"] = True
        return precision
    link = _link_of(model) if subject.answers.has_probabilities else None
    return _add_linear(program, model, given, link or "identity_decision")


def _add_linear(program: Program, model: Any, given: Given, link: str) -> str:
    from sklearn.utils import check_array

    if not isinstance(model.coef_, np.ndarray):
        raise NotExportableError(
            f"the coefficients of {type(model).__name__} are sparse: call densify() on it"
        )
    coef = np.atleast_2d(model.coef_)
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=coef.dtype), (len(coef),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dtype = check_array(given.X, accept_sparse=True, ensure_all_finite=False).dtype
    dtype = np.result_type(dtype, coef.dtype)
    check_float(dtype, model)
    program.steps.append(
        {
            "op": "linear",
            "coef": program.add(coef),
            "intercept": program.add(intercept),
            "link": link,
            "dtype": dtype.name,
        }
    )
    return str(dtype.name)
