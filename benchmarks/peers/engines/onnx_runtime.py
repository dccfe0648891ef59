"""Exports models as ONNX files, and runs ONNX Runtime on them; resize and argmax are inside."""

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.peers.engines.peer import Call, Peer, Task
from benchmarks.peers.variants import Variant

_INPUT = "images"
# From 23 on attention is one operator; before, matrix products and a softmax.
_OPSETS = {"opset 18": 18, "opset 23": 23}


class OnnxRuntime(Peer):
    """Runs the CPU provider, by the faster opset."""

    name = "ONNX Runtime"
    variants = (Variant(), Variant(merged=True))
    packages = ("onnx", "onnxscript", "onnxruntime")
    routes = tuple(_OPSETS)

    def make(self, task: Task, graph: str, route: str) -> None:
        onnx_file(task, graph, _OPSETS[route])

    def load(self, task: Task, graph: str, route: str) -> Call:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = task.threads
        session = onnxruntime.InferenceSession(
            str(onnx_file(task, graph, _OPSETS[route])), options, providers=["CPUExecutionProvider"]
        )

        def call(image: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {_INPUT: image.numpy()})[0])

        return call


def onnx_file(task: Task, graph: str, opset: int) -> Path:
    """Return the file of a graph in ``opset``; export it if it is not there."""
    path = task.shared / f"{graph}-{opset}.onnx"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with torch.no_grad():
            torch.onnx.export(
                task.graph(graph),
                (task.image(),),
                str(partial),
                dynamo=True,
                opset_version=opset,
                input_names=[_INPUT],
                output_names=["output"],
                external_data=False,
                verbose=False,
            )
        partial.rename(path)
    return path
