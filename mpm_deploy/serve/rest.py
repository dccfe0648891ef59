"""The protocol over HTTP: an application of FastAPI, as any server of ASGI runs it."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from kserve import InferResponse
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.errors import InferenceError, InvalidInput
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mpm_deploy import __version__
from mpm_deploy.errors import MpmError
from mpm_deploy.serve.metrics import counted
from mpm_deploy.serve.places import Places
from mpm_deploy.serve.plane import Plane
from mpm_deploy.serve.refusals import RefusedError, Status, sentence_of, status_of
from mpm_deploy.serve.requests import outputs_of
from mpm_deploy.serve.responses import is_binary
from mpm_deploy.serve.rest_body import json_end, length_of, read_request

Outcome = TypeVar("Outcome")

_SHORT = 1 << 16  # bytes of JSON that take less time than to have another thread read them
_TOLD = (MpmError, InvalidInput, InferenceError, ClientDisconnect, Exception)


class RestEndpoints:
    """What each address answers.

    Args:
        plane: The models.
        places: Where images are counted.
        max_bytes: The size of the largest request.
        patience: Seconds that a request may take to arrive.
    """

    def __init__(self, plane: Plane, places: Places, max_bytes: int, patience: float) -> None:
        self._plane = plane
        self._places = places
        self._max_bytes = max_bytes
        self._patience = patience

    def application(self) -> FastAPI:
        """Return the application that has all addresses."""
        app = FastAPI(title="mpm-deploy", version=__version__, openapi_url=None)
        for path, endpoint in (
            ("/metrics", self.metrics),
            ("/v2", self.server_metadata),
            ("/v2/health/live", self.live),
            ("/v2/health/ready", self.ready),
            ("/v2/models", self.models),
            ("/v2/models/{name}", self.model_metadata),
            ("/v2/models/{name}/ready", self.model_ready),
        ):
            app.add_api_route(path, endpoint, response_model=None)
        app.add_api_route(
            "/v2/models/{name}/infer", self.infer, methods=["POST"], response_model=None
        )
        app.add_exception_handler(HTTPException, _no_such_address)
        for kind in _TOLD:
            app.add_exception_handler(kind, _refused)
        return app

    async def metrics(self) -> Response:
        """Answer with what Prometheus reads."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def server_metadata(self) -> dict[str, Any]:
        """Answer what this server is."""
        return self._plane.metadata()

    async def live(self) -> dict[str, bool]:
        """Answer that the server is there."""
        return {"live": True}

    async def ready(self) -> Response:
        """Answer whether requests are taken."""
        ready = await self._plane.ready()
        return _ready({"ready": ready})

    async def models(self) -> dict[str, list[str]]:
        """Answer which models there are."""
        return {"models": [*self._plane.model_registry.get_models()]}

    async def model_metadata(self, name: str) -> dict[str, Any]:
        """Answer what a model takes and gives."""
        return await self._plane.model_metadata(name)

    async def model_ready(self, name: str) -> Response:
        """Answer whether a model takes requests."""
        ready = self._plane.model(name).ready and await self._plane.ready()
        return _ready({"name": name, "ready": ready})

    async def infer(self, name: str, request: Request) -> Response:
        """Answer with the outputs that are asked for."""
        model = self._plane.model(name)
        with counted(name, "rest"), self._places.enter():
            body = await self._arrival(request)
            end = json_end(body, request.headers.get(INFERENCE_CONTENT_LENGTH_HEADER))
            read = partial(read_request, body, end, name)
            asked = read() if end <= _SHORT else await model.aside(read)
            response, _ = await _unless_gone(request, self._plane.infer(name, asked))
            write = partial(_http, response)
            is_bytes = all(is_binary(asked, output) for output in outputs_of(asked))
            return write() if is_bytes else await model.aside(write)

    async def _arrival(self, request: Request) -> bytes:
        """Return the body of a request, which holds a place while it arrives.

        Raises:
            RefusedError: It is too large, or too slow.
            ClientDisconnect: Its sender has gone.
        """
        try:
            async with asyncio.timeout(self._patience):
                return await _read(request, self._max_bytes)
        except TimeoutError as error:
            raise RefusedError(
                Status.LATE,
                f"expected the whole request within {self._patience:g} seconds, got less",
                "send it again, or smaller images",
            ) from error


async def _read(request: Request, most: int) -> bytes:
    """Read the body of a request, and no more of it than is allowed."""
    announced = request.headers.get("content-length", "0")
    parts, size = [], length_of(announced) or 0
    if size <= most:
        size = 0
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > most:
                break
    if size > most:
        raise RefusedError(
            Status.TOO_LARGE,
            f"expected a request of at most {most} bytes, got more",
            "send images as JPEG or PNG, and fewer at once",
        )
    return b"".join(parts)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Do work for as long as somebody waits for it.

    Raises:
        ClientDisconnect: Whoever sent the request has gone.
        Whatever the work raises.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_end_of(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        watching.cancel()


async def _end_of(request: Request) -> None:
    """Wait until whoever sent a request has gone; its body is read, and nothing else comes."""
    await request.receive()


def _http(response: InferResponse) -> Response:
    """Make the response of HTTP, with JSON alone or with bytes behind it."""
    content, json_length = response.to_rest()
    if json_length is None:
        return Response(orjson.dumps(content), media_type="application/json")
    headers = {INFERENCE_CONTENT_LENGTH_HEADER: str(json_length)}
    return Response(content, headers=headers, media_type="application/octet-stream")


def _ready(content: dict[str, Any]) -> Response:
    status = Status.ANSWERED if content["ready"] else Status.UNAVAILABLE
    return JSONResponse(content, status.http)


async def _refused(_: Request, error: Exception) -> Response:
    status = status_of(error)
    headers = {"Retry-After": "1"} if status is Status.FULL else None
    return JSONResponse({"error": sentence_of(error)}, status.http, headers)


async def _no_such_address(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else Status.UNKNOWN.http
    sentence = f"{request.method} {request.url.path} is not offered here; see /v2/models"
    return JSONResponse({"error": sentence}, code)
