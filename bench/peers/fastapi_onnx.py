"""The peer: a model exported to ONNX behind FastAPI and ONNX Runtime with one thread.

python fastapi_onnx.py MODEL.onnx PORT
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
input_name = session.get_inputs()[0].name
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
    rows = np.asarray(request.features, dtype=np.float32)
    labels, probabilities = session.run(None, {input_name: rows})
    return Answer(predictions=labels.tolist(), probabilities=probabilities.tolist())


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
