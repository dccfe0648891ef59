"""Write segments as files of ONNX, with all their weights in one file beside them.

segments/0.onnx, 1.onnx, ...    what is computed, without weights
segments/weights                every weight once, each on a border of 4096 bytes
"""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import torch
from torch import Tensor

from mpm_deploy.backends.segments.chain import run_chain
from mpm_deploy.backends.segments.segment import Segment

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

OPSET = 18
WEIGHTS = "weights"
_INLINE = 1024  # bytes of a tensor that stays in the graph: sizes and the like
_INDEX_ADD = torch.ops.aten.index_add.default
_BORDER = 4096  # a page, where a file can be mapped


def write_segments(segments: Sequence[Segment], images: Tensor, folder: Path) -> None:
    """Write ``0.onnx``, ``1.onnx`` and so on, and their ``weights``, into a folder.

    Args:
        segments: Those of one model, in order.
        images: One that it is tried on, ``(1, 3, H, W)`` uint8.
        folder: A folder that exists.
    """
    with torch.no_grad():
        given = run_chain(segments, images)
    with (folder / WEIGHTS).open("wb") as file:
        weights = _Weights(file)
        for segment in segments:
            model = _exported(segment, [given[name].clone() for name in segment.inputs])
            weights.take(model)
            (folder / f"{segment.index}.onnx").write_bytes(model.SerializeToString())


def _exported(segment: Segment, inputs: Sequence[Tensor]) -> "ModelProto":
    has_rows = [name.startswith(("tokens_", "tap_")) for name in segment.inputs]
    any_rows = [{0: torch.export.Dim.DYNAMIC} if dynamic else None for dynamic in has_rows]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        exported = torch.export.export(
            segment, tuple(inputs), dynamic_shapes={"inputs": tuple(any_rows)}
        )
        if any(node.target == _INDEX_ADD for node in exported.graph.nodes):
            exported = exported.run_decompositions({_INDEX_ADD: _sum_of_equal})
        program: Any = torch.onnx.export(
            exported,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=segment.inputs,
            output_names=segment.outputs,
            verbose=False,
        )
    model: ModelProto = program.model_proto
    _forget_origin(model)
    return model


def _sum_of_equal(
    start: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: int = 1
) -> Tensor:
    """Add rows by a product with a matrix of 0 and 1, which every engine has.

    Its plain form in ONNX is a scatter that adds, which TensorRT refuses. What is added here are
    counts and places, whole numbers that float32 sums exactly.
    """
    if dim != 0 or alpha != 1:
        return NotImplemented
    row = torch.arange(start.shape[0], device=start.device)
    is_row = (row[:, None] == index).to(torch.float32)  # (T, N)
    sums = is_row @ source.to(torch.float32).reshape(source.shape[0], -1)  # (T, ...)
    return start + sums.reshape(start.shape).to(start.dtype)


def _forget_origin(model: "ModelProto") -> None:
    """Remove where in which files of the builder's disk each operator was written."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        del value.metadata_props[:]
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]


class _Weights:
    """The file of weights: takes each out of the graphs that have it, and keeps it once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[bytes, int] = {}

    def take(self, model: "ModelProto") -> None:
        """Move the weights of a graph into the file, where they are not there already."""
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) > _INLINE:
                self._move(tensor)

    def _move(self, tensor: "TensorProto") -> None:
        from onnx import TensorProto

        data = tensor.raw_data
        key = hashlib.sha256(data).digest()
        if key not in self._places:
            self._file.seek(-(-self._file.tell() // _BORDER) * _BORDER)
            self._places[key] = self._file.tell()
            self._file.write(data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for name, value in (
            ("location", WEIGHTS),
            ("offset", self._places[key]),
            ("length", len(data)),
        ):
            tensor.external_data.add(key=name, value=str(value))
