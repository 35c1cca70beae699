"""UnionML's service: a model's functions as routes of the user's own FastAPI app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _penstock import FailedPreconditionError, InvalidArgumentError, PenstockError
from penstock._extras import needed_for

if TYPE_CHECKING:
    from penstock._app.model import Model

HOME = """<!doctype html><title>{name}</title>
<h1>{name}</h1><p>POST <code>/predict</code> answers; <a href="docs">docs</a> to try it.</p>"""


def mount(model: Model, app: Any) -> None:
    """Add the routes ``/``, ``/predict`` and ``/health`` to a FastAPI app.

    ``/predict`` takes ``{"features": ...}``, or ``{"inputs": {...}}`` with arguments of the reader,
    and answers with what the predictor returns. What does not fit is 422, a model that is not
    trained is 503, each with a sentence in ``detail``.
    """
    with needed_for("Model.serve"):
        from fastapi import HTTPException
        from fastapi.concurrency import run_in_threadpool
        from fastapi.responses import HTMLResponse
        from pydantic import BaseModel

    class Asked(BaseModel):
        features: Any = None
        inputs: dict[str, Any] | None = None

    def trained() -> None:
        if model.artifact is None:
            model.load_from_env()

    async def home() -> Any:
        return HTMLResponse(HOME.format(name=model.name))

    def answer(asked: Asked) -> Any:
        if asked.inputs is not None:
            return _plain(model.predict(**asked.inputs))
        if asked.features is None:
            raise InvalidArgumentError(
                "'features' is missing: the rows to answer, or 'inputs', arguments of the reader"
            )
        return _plain(model.predict(asked.features))

    async def predict(asked: Asked) -> Any:
        try:
            trained()
            # The predictor may compute for long: the app's loop serves others meanwhile.
            return await run_in_threadpool(answer, asked)
        except FailedPreconditionError as error:
            raise HTTPException(503, str(error)) from error
        except (InvalidArgumentError, ValueError, TypeError, KeyError) as error:
            raise HTTPException(422, str(error)) from error

    async def health() -> Any:
        try:
            trained()
        except PenstockError as error:
            raise HTTPException(503, str(error)) from error
        return {"message": "OK", "status": 200}

    # FastAPI resolves annotations by name in this module, where Asked is not.
    predict.__annotations__["asked"] = Asked
    app.add_api_route("/", home, methods=["GET"], include_in_schema=False)
    app.add_api_route("/predict", predict, methods=["POST"])
    app.add_api_route("/health", health, methods=["GET"])


def _plain(predictions: Any) -> Any:
    """Return arrays and tables as lists, which JSON has; anything else as it is."""
    if hasattr(predictions, "to_dict") and hasattr(predictions, "columns"):
        return predictions.to_dict(orient="records")
    return predictions.tolist() if hasattr(predictions, "tolist") else predictions
