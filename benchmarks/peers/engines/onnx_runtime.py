"""Runs ONNX Runtime, with resize and argmax inside the graph."""

from functools import partial

import torch
from torch import Tensor

from benchmarks.peers.engines.base import ModuleSession, Peer, Session, Task, Variant
from benchmarks.peers.engines.onnx_graph import INPUT, onnx_file
from benchmarks.peers.engines.routes import Call, choose_routes, chosen_routes

# From 23 on attention is one operator; before, matrix products and a softmax.
ROUTES = {"opset 18": 18, "opset 23": 23}


class OnnxRuntime(Peer):
    """Runs the CPU provider, by the faster opset."""

    name = "ONNX Runtime"
    variants = (Variant(), Variant(merged=True))
    packages = ("onnx", "onnxscript", "onnxruntime")

    def _convert(self, task: Task) -> str:
        routes = {
            name: {route: partial(_open, task, name, route) for route in ROUTES}
            for name in ("scores", "labels")
        }
        return choose_routes(task, routes)

    def open(self, task: Task) -> Session:
        chosen = chosen_routes(task.folder)
        return ModuleSession(**{name: _open(task, name, route) for name, route in chosen.items()})


def _open(task: Task, name: str, route: str) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    session = onnxruntime.InferenceSession(
        str(onnx_file(task, name, ROUTES[route])), options, providers=["CPUExecutionProvider"]
    )

    def call(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {INPUT: image.numpy()})[0])

    return call
