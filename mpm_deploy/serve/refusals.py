"""Say to a client why it gets no label map: a status of HTTP, one of gRPC, and a sentence."""

from enum import Enum
from http import HTTPStatus

import grpc
from kserve.errors import InferenceError, InvalidInput
from starlette.requests import ClientDisconnect

from mpm_deploy.errors import HostError, ImageError, InputError, MpmError


class Status(Enum):
    """What becomes of a request; the values are what HTTP and gRPC call it."""

    ANSWERED = (HTTPStatus.OK, grpc.StatusCode.OK)
    BAD = (HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT)
    UNKNOWN = (HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND)
    LATE = (HTTPStatus.REQUEST_TIMEOUT, grpc.StatusCode.DEADLINE_EXCEEDED)
    TOO_LARGE = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    FULL = (HTTPStatus.TOO_MANY_REQUESTS, grpc.StatusCode.RESOURCE_EXHAUSTED)
    GONE = (499, grpc.StatusCode.CANCELLED)  # the status that nginx logs; nobody reads it
    FAILED = (HTTPStatus.INTERNAL_SERVER_ERROR, grpc.StatusCode.INTERNAL)
    NOT_OFFERED = (HTTPStatus.NOT_IMPLEMENTED, grpc.StatusCode.UNIMPLEMENTED)
    UNAVAILABLE = (HTTPStatus.SERVICE_UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)

    def __init__(self, http: int, rpc: grpc.StatusCode) -> None:
        self.http = int(http)
        self.rpc = rpc


class RefusedError(MpmError):
    """A request that this server does not take, and its status."""

    def __init__(self, status: Status, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.status = status


def status_of(error: BaseException) -> Status:
    """Return the status of a request that ended with an error."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, InputError | ImageError | InvalidInput | InferenceError):
        return Status.BAD
    if isinstance(error, HostError):  # memory or threads are short
        return Status.UNAVAILABLE
    gone = isinstance(error, ClientDisconnect) or not isinstance(error, Exception)  # cancelled
    return Status.GONE if gone else Status.FAILED


def sentence_of(error: BaseException) -> str:
    """Return what a client is told of an error: what is wrong, and the cure."""
    if isinstance(error, MpmError):
        return error.problem if error.hint is None else f"{error.problem}; {error.hint}"
    if isinstance(error, InvalidInput | InferenceError):
        return str(error)
    return f"this server failed on it ({type(error).__name__}); its log says more"
