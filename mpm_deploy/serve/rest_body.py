"""Read the body of a request in HTTP: JSON, or JSON with the bytes of tensors behind it.

    {"inputs": [{"name": "image", "parameters": {"binary_data_size": 7}, ...}]} 7 bytes
    ◀──────────── Inference-Header-Content-Length ───────────────────────────▶

kserve's own reader takes the JSON alone here: it turns bytes into text, which a JPEG is not.
"""

from typing import Any

from kserve import InferInput, InferRequest
from kserve.protocol.infer_type import RequestedOutput
from kserve.protocol.rest.v2_datamodels import InferenceRequest, RequestInput
from pydantic import ValidationError

from mpm_deploy.errors import InputError
from mpm_deploy.support.quoting import shown

_HEADER = "Inference-Header-Content-Length"
_MOST_DIGITS = 18  # of a number of bytes; of thousands Python makes no number at all
_FORM = (
    'post JSON: {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], '
    '"data": [a file in base64]}]}'
)


class _Input(RequestInput):  # type: ignore[misc]  # kserve has no types
    data: list[Any] | None = None


class _Asked(InferenceRequest):  # type: ignore[misc]
    inputs: list[_Input]


def json_end(body: bytes, header: str | None) -> int:
    """Return where the JSON of a body ends.

    Args:
        body: All of it.
        header: What the header says of that; None where there is none, and the body is JSON.

    Raises:
        InputError: The header says no length that the body has.
    """
    if header is None:
        return len(body)
    end = length_of(header)
    if end is None or end > len(body):
        raise InputError(
            f"{_HEADER}: expected the length of the JSON, at most {len(body)}, got {shown(header)}",
            "leave it out where nothing follows the JSON",
        )
    return end


def length_of(text: str) -> int | None:
    """Return the length that a header says; None where it says none that a machine could hold."""
    is_length = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if is_length else None


def read_request(body: bytes, end: int, model_name: str) -> InferRequest:
    """Read a request.

    Args:
        body: All of it.
        end: Where its JSON ends.
        model_name: The model that is asked.

    Raises:
        InputError: It is no request of the protocol.
    """
    asked = _parse(body[:end])
    raw: list[bytes | None] = []
    for tensor in asked.inputs:
        size = _binary_size(tensor, len(body) - end)
        raw.append(None if size is None else body[end : end + size])
        end += size or 0
    return InferRequest(
        model_name=model_name,
        infer_inputs=[
            InferInput(one.name, one.shape, one.datatype, one.data, one.parameters)
            for one in asked.inputs
        ],
        request_id=asked.id,
        raw_inputs=raw,
        parameters=asked.parameters,
        request_outputs=asked.outputs
        and [RequestedOutput(one.name, one.parameters) for one in asked.outputs],
    )


def _parse(text: bytes) -> _Asked:
    try:
        asked: _Asked = _Asked.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise InputError(
            f"{where}: expected a request of the Open Inference Protocol, got another: "
            f"{first['msg']}",
            f"bytes behind the JSON need the header {_HEADER}" if _is_followed(first) else _FORM,
        ) from error
    return asked


def _is_followed(error: Any) -> bool:
    """Tell whether a parser's error is that something stands behind a whole JSON text."""
    return error["type"] == "json_invalid" and "trailing characters" in error["msg"]


def _binary_size(tensor: _Input, left: int) -> int | None:
    """Return how many bytes behind the JSON are a tensor's; None where its data are in the JSON."""
    size = (tensor.parameters or {}).get("binary_data_size")
    if (size is None) == (tensor.data is None):
        raise InputError(
            f"{tensor.name}: expected either data or the parameter binary_data_size",
            "give one of them",
        )
    if size is not None and (type(size) is not int or not 0 <= size <= left):
        raise InputError(
            f"{tensor.name}: expected a binary_data_size of at most {left}, the bytes that are "
            f"left behind the JSON, got {shown(size)}",
            "send every byte that the JSON announces",
        )
    return size
