"""Make the tensors that a client gets.

    label_map       BYTES (images)                  PNGs, as `mpm-deploy run` writes them
    labels          UINT8 or INT16 (images, height, width)
    scores          FP32 (images, classes, rows, columns)
    probabilities   FP32 (images, classes, rows, columns)
    tokens_kept     INT32 (images, merges)

In JSON, where bytes have no place, a PNG is base64 and the parameter ``content_type`` says so.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse
from kserve.protocol.infer_type import RequestedOutput
from kserve.utils.numpy_codec import from_np_dtype
from numpy.typing import NDArray

from mpm_deploy.artifact import Manifest
from mpm_deploy.errors import InputError
from mpm_deploy.run.label_maps import Color, encode_label_map
from mpm_deploy.run.outputs import Output
from mpm_deploy.run.results import Result

Array = NDArray[Any]

# What each output is made of.
OUTPUTS: dict[str, tuple[Output, ...]] = {
    "label_map": ("labels",),
    "labels": ("labels",),
    "scores": ("scores",),
    "probabilities": ("probabilities",),
    "tokens_kept": (),
}
USUAL_OUTPUTS = ("label_map", "tokens_kept")
_INT16_CLASSES = 256  # past so many, labels are INT16


def describe_outputs(manifest: Manifest) -> list[dict[str, Any]]:
    """Describe the outputs of a model, as its metadata do; -1 is any number."""
    classes = len(manifest.model.classes)
    label_type = "INT16" if classes > _INT16_CLASSES else "UINT8"
    is_resized = manifest.input.fit == "resize"  # else the grid is as large as the image
    scores = manifest.outputs[manifest.output_index("scores")].shape
    grid = scores[1:] if is_resized else (-1, -1)
    shapes: dict[str, tuple[str, Sequence[int]]] = {
        "label_map": ("BYTES", [-1]),
        "labels": (label_type, [-1, -1, -1]),
        "scores": ("FP32", [-1, classes, *grid]),
        "probabilities": ("FP32", [-1, classes, *grid]),
        "tokens_kept": ("INT32", [-1, len(manifest.merge.blocks)]),
    }
    return [
        {"name": name, "datatype": datatype, "shape": [*shape]}
        for name, (datatype, shape) in shapes.items()
    ]


def respond(
    request: InferRequest, names: Sequence[str], results: Sequence[Result], palette: Sequence[Color]
) -> InferResponse:
    """Make the response to a request.

    Args:
        request: What was asked.
        names: The outputs to make, as `outputs_of` gives them.
        results: What came of each of its images.
        palette: The color of each class.

    Raises:
        InputError: One tensor cannot hold the outputs of all images, which differ in size.
    """
    outputs = [_output(name, results, palette, is_binary(request, name)) for name in names]
    return InferResponse(
        response_id=request.id or str(uuid4()),
        model_name=request.model_name,
        infer_outputs=outputs,
        use_binary_outputs=request.use_binary_outputs and not request.from_grpc,
        requested_outputs=None if request.from_grpc else _with_form(request),
    )


def _output(
    name: str, results: Sequence[Result], palette: Sequence[Color], binary: bool
) -> InferOutput:
    if name == "label_map":
        files = [encode_label_map(result.labels, palette) for result in results]
        data: list[bytes | str] = (
            [*files] if binary else [b64encode(file).decode() for file in files]
        )
        parameters = {"content_type": "image/png" if binary else "base64"}
        return InferOutput(name, [len(data)], "BYTES", np.array(data, np.object_), parameters)
    tensor = _stacked(name, [_ARRAYS[name](result) for result in results])
    return InferOutput(name, [*tensor.shape], from_np_dtype(tensor.dtype), tensor)


def _stacked(name: str, arrays: Sequence[Array]) -> Array:
    sizes = {array.shape for array in arrays}
    if len(sizes) > 1:
        raise InputError(
            f"{name}: expected images of one size, as one tensor holds what is made of all, "
            f"got {' and '.join(map(str, sorted(sizes)))}",
            "send them in several requests, or ask for label_map",
        )
    return np.stack(arrays)


_ARRAYS: dict[str, Callable[[Result], Array]] = {
    "labels": lambda result: result.labels,
    "scores": lambda result: result.scores,
    "probabilities": lambda result: result.probabilities,
    "tokens_kept": lambda result: np.array(result.tokens_kept, np.int32),
}


def _with_form(request: InferRequest) -> list[RequestedOutput] | None:
    """Say of each requested output how it is sent: what it says itself, or else the request."""
    return request.request_outputs and [
        RequestedOutput(output.name, {"binary_data": is_binary(request, output.name)})
        for output in request.request_outputs
    ]


def is_binary(request: InferRequest, name: str) -> bool:
    """Tell whether an output is sent as bytes: by gRPC always, in REST where that is asked for."""
    if request.from_grpc:
        return True
    own = [o.binary_data for o in request.request_outputs or () if o.name == name]
    return bool(request.use_binary_outputs if own in ([], [None]) else own[0])
