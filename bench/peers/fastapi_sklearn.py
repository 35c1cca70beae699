"""The peer: a scikit-learn model behind FastAPI, written as its users do, without needless cost.

Endpoints are coroutines (no hop to a thread pool), one call of the model gives labels and
probabilities, uvicorn runs on uvloop and httptools without an access log.

    python fastapi_sklearn.py MODEL.joblib PORT
"""

from __future__ import annotations

import sys

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(sys.argv[1])
app = FastAPI()


class Request(BaseModel):
    """Rows of features."""

    features: list[list[float]]


class Answer(BaseModel):
    """One entry a row."""

    predictions: list[int]
    probabilities: list[list[float]]


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    """Tell that the model is loaded."""
    return {"status": "ready"}


@app.post("/predict")
async def predict(request: Request) -> Answer:
    """Answer each row."""
    probabilities = model.predict_proba(np.asarray(request.features))
    labels = model.classes_[probabilities.argmax(axis=1)]
    return Answer(predictions=labels.tolist(), probabilities=probabilities.tolist())


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
