"""Turn segments in bfloat16 into float32, as ONNX Runtime has no products of bfloat16 on a CPU."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.backends.onnxruntime.packages import import_onnx

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto


def widen(files: Iterable[Path]) -> None:
    """Rewrite segments in place: the same operators on the same weights, rounded nowhere.

    Raises:
        MissingPackageError: The package onnx is not installed.
        OSError: One cannot be read or written.
    """
    onnx = import_onnx()
    for file in files:
        model = onnx.load(file)
        _widen_graph(model.graph)
        onnx.save(model, file, save_as_external_data=True, location=f"{file.stem}.weights")


def _widen_graph(graph: "GraphProto") -> None:
    from onnx import TensorProto

    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in [*graph.input, *graph.output]:
        kind = value.type.tensor_type
        if kind.elem_type == TensorProto.BFLOAT16:
            kind.elem_type = TensorProto.FLOAT
    for node in graph.node:
        _widen_node(node)


def _widen_node(node: "NodeProto") -> None:
    from onnx import TensorProto

    for attribute in node.attribute:
        if attribute.name == "to" and attribute.i == TensorProto.BFLOAT16:
            attribute.i = TensorProto.FLOAT
        if attribute.HasField("t"):
            _widen_tensor(attribute.t)


def _widen_tensor(tensor: "TensorProto") -> None:
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.BFLOAT16:
        values = numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
