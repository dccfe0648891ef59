"""Read what a client asks for: its images, and what is to be made of them.

image    BYTES (images)                       files, JPEG or PNG; in JSON as base64
pixels   UINT8 (height, width, 3)             RGB
         UINT8 (images, height, width, 3)
"""

import binascii
import struct
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from kserve import InferInput, InferRequest
from numpy.typing import NDArray

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import ImageLike
from mpm_deploy.serve.responses import OUTPUTS, USUAL_OUTPUTS
from mpm_deploy.support.quoting import shown

Tensor = dict[str, Any]  # as model metadata describe it

INPUTS: list[Tensor] = [
    {"name": "image", "datatype": "BYTES", "shape": [-1]},
    {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
]


def images_of(request: InferRequest) -> list[ImageLike]:
    """Return the images of a request, input after input.

    Raises:
        InputError: An input that there is not, of another type or shape, or whose data do not fill
            it; or no image.
    """
    images = [image for tensor in request.inputs for image in _images_of(tensor)]
    if not images:
        raise InputError("inputs: expected an image, got none", "send it as the input image")
    return images


def outputs_of(request: InferRequest) -> tuple[str, ...]:
    """Return the names of the outputs that a request asks for.

    Raises:
        InputError: One that there is not.
    """
    names = tuple(output.name for output in request.request_outputs or ())
    for name in names:
        if name not in OUTPUTS:
            raise InputError(
                f"outputs: expected some of {', '.join(OUTPUTS)}, got {shown(name)}",
                "model metadata describe them",
            )
    return names or USUAL_OUTPUTS


def _images_of(tensor: InferInput) -> list[ImageLike]:
    if tensor.name not in _READERS:
        raise InputError(
            f"inputs: expected {' or '.join(_READERS)}, got {shown(tensor.name)}",
            "model metadata describe them",
        )
    datatype, read = _READERS[tensor.name]
    if tensor.datatype != datatype:
        raise InputError(
            f"{tensor.name}: expected datatype {datatype}, got {shown(tensor.datatype)}",
            "send files as image in BYTES, and arrays as pixels in UINT8",
        )
    return read(tensor)


def _files(tensor: InferInput) -> list[ImageLike]:
    return [_file(tensor.name, value) for value in _values(tensor).ravel().tolist()]


def _file(name: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return b64decode(value, validate=True)  # type: ignore[arg-type]  # it says what it is not
    except (TypeError, ValueError, binascii.Error) as error:
        raise InputError(
            f"{name}: expected a file in base64, got {shown(value)}",
            "encode its bytes in base64, or send them by the binary extension or gRPC",
        ) from error


def _arrays(tensor: InferInput) -> list[ImageLike]:
    values = _values(tensor)
    if values.ndim not in (3, 4) or values.shape[-1] != 3:
        raise InputError(
            f"{tensor.name}: expected shape (height, width, 3) or (images, height, width, 3), "
            f"got {tuple(values.shape)}",
            "send RGB, the channels last",
        )
    return [values] if values.ndim == 3 else [*values]


def _values(tensor: InferInput) -> NDArray[Any]:
    try:
        values: NDArray[Any] = tensor.as_numpy()
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        raise InputError(
            f"{tensor.name}: expected data that fill shape {tuple(tensor.shape)} of "
            f"{tensor.datatype}, got others: {error}",
            "compare shape and data",
        ) from error
    return values


_READERS: dict[str, tuple[str, Callable[[InferInput], list[ImageLike]]]] = {
    "image": ("BYTES", _files),
    "pixels": ("UINT8", _arrays),
}
