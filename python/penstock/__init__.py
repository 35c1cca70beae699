"""Penstock: the model you already have, as a native service that gives the same answers.

import penstock

v = penstock.register(clf, X, y, name="churn")
v.predict(X.head(3))
service = v.serve()
"""

from _penstock import (
    AbortedError,
    AlreadyExistsError,
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PenstockError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
)
from _penstock import version as __version__
from penstock import _errors as _errors
from penstock._app.artifact import ModelArtifact
from penstock._app.dataset import Dataset, data_reader
from penstock._app.decorator import model
from penstock._app.model import Model
from penstock._app.ranges import Range
from penstock._app.recording import report
from penstock._contents import Contents
from penstock._output import Output
from penstock._parity import Parity
from penstock._register import register
from penstock._runs import Run, runs
from penstock._service import Service, services
from penstock._table import Table, read
from penstock._version import ModelVersion, load, models

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "CancelledError",
    "Contents",
    "DataLossError",
    "Dataset",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "Model",
    "ModelArtifact",
    "ModelVersion",
    "NotFoundError",
    "OutOfRangeError",
    "Output",
    "Parity",
    "PenstockError",
    "PermissionDeniedError",
    "Range",
    "ResourceExhaustedError",
    "Run",
    "Service",
    "Table",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
    "__version__",
    "data_reader",
    "load",
    "model",
    "models",
    "read",
    "register",
    "report",
    "runs",
    "services",
]
