"""The protocol over gRPC: kserve's service, with the bounds of this server."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from grpc_interceptor import AsyncExceptionToStatusInterceptor
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server as add_service,
)
from kserve.protocol.grpc.servicer import InferenceServicer

from mpm_deploy.errors import InputError
from mpm_deploy.serve.metrics import counted
from mpm_deploy.serve.places import Places
from mpm_deploy.serve.plane import Plane
from mpm_deploy.serve.refusals import RefusedError, Status, sentence_of, status_of

_OTHER_CALLS = 64  # of health and metadata, beside those that take places
_log = logging.getLogger(__name__)


class Service(InferenceServicer):  # type: ignore[misc]  # kserve has no types
    """The calls that clients make."""

    def __init__(self, plane: Plane, places: Places) -> None:
        super().__init__(plane, None)
        self._plane = plane
        self._places = places

    async def ModelInfer(  # noqa: N802 - the protocol's name
        self, request: ModelInferRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ModelInferResponse:
        """Answer with the outputs that are asked for."""
        name = self._plane.model(request.model_name).name
        with counted(name, "grpc"), self._places.enter():
            return await super().ModelInfer(request, context)

    async def RepositoryModelLoad(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        """Refuse to load a model."""
        raise _not_offered()

    async def RepositoryModelUnload(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        """Refuse to unload a model, which others ask."""
        raise _not_offered()


class Refusals(AsyncExceptionToStatusInterceptor):  # type: ignore[misc]  # nor has this one
    """Turns what is raised for a call into its status and a sentence."""

    async def handle_exception(
        self, ex: Exception, request_or_iterator: Any, context: Any, method_name: str
    ) -> None:
        """End a call that failed."""
        status = status_of(ex)
        if status is Status.FAILED:
            _log.error("%s failed", method_name, exc_info=ex)
        await context.abort(status.rpc, sentence_of(ex))


def grpc_server(
    plane: Plane, places: Places, max_bytes: int, address: str
) -> tuple[grpc.aio.Server, int]:
    """Make a server that listens once it is started.

    Args:
        plane: The models.
        places: Where images are counted.
        max_bytes: The size of the largest request.
        address: Host and port.

    Returns:
        The server and its port.

    Raises:
        InputError: It cannot listen there.
    """
    server = grpc.aio.server(
        ThreadPoolExecutor(1),  # of calls that are no coroutines: there are none
        interceptors=(Refusals(),),
        options=(
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ),
        maximum_concurrent_rpcs=places.count + _OTHER_CALLS,
    )
    add_service(Service(plane, places), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise InputError(
            f"{address}: gRPC cannot listen there", "name a free port: --grpc-port 0 takes any"
        ) from error
    return server, port


def _not_offered() -> RefusedError:
    return RefusedError(
        Status.NOT_OFFERED,
        "this server keeps the models that it was started with",
        "start another one with the artifacts that it is to serve",
    )
