"""Runs OpenVINO: interpolation and argmax inside the graph, latency hint, a stream for each call.

Its CPU plugin compiles the attention of a full-token model into fused `Subgraph` nodes, by either
route; with the sizes of a merged one unknown it cannot.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from benchmarks.peers.engines.base import ModuleSession, Peer, Session, Task, Variant
from benchmarks.peers.engines.onnx_graph import onnx_file
from benchmarks.peers.engines.routes import Call, choose_routes, chosen_routes

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_OPSET = 18  # the one that merged models too can be exported to


class OpenVino(Peer):
    """Runs the CPU plugin, by the faster route into it."""

    name = "OpenVINO"
    variants = (
        *(Variant(), Variant("bfloat16")),
        *(Variant(merged=True), Variant("bfloat16", merged=True)),
    )
    packages = ("openvino", "onnx", "onnxscript")

    def _convert(self, task: Task) -> str:
        routes = {
            name: {route: partial(_convert_by, task, name, route) for route in ROUTES}
            for name in ("scores", "labels")
        }
        return choose_routes(task, routes)

    def open(self, task: Task) -> Session:
        chosen = chosen_routes(task.folder)
        return ModuleSession(
            **{name: _compile(task, _file(task, name, route)) for name, route in chosen.items()}
        )


def _by_export(task: Task, name: str) -> Any:
    import openvino

    graph = task.graphs()[name]
    height, width = graph.model.image_size
    image = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    with torch.no_grad():
        return openvino.convert_model(torch.export.export(graph, (image,)))


def _by_onnx(task: Task, name: str) -> Any:
    import openvino

    return openvino.convert_model(str(onnx_file(task, name, _OPSET)))


ROUTES: dict[str, Callable[[Task, str], Any]] = {"torch.export": _by_export, "ONNX": _by_onnx}


def _convert_by(task: Task, name: str, route: str) -> Call:
    import openvino

    path = _file(task, name, route)
    openvino.save_model(ROUTES[route](task, name), str(path), compress_to_fp16=False)
    return _compile(task, path)


def _compile(task: Task, path: Path) -> Call:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": task.at_once * task.threads,
        "INFERENCE_PRECISION_HINT": _HINTS[task.variant.dtype],
    }
    # Models compiled apart wait for one another even with a thread each; streams of one do not.
    if task.at_once > 1:  # for one call the hint knows best
        settings["NUM_STREAMS"] = task.at_once
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    free: SimpleQueue[Any] = SimpleQueue()  # a request serves one call at a time
    for _ in range(task.at_once):
        free.put(compiled.create_infer_request())

    def call(image: Tensor) -> Tensor:
        request = free.get()
        try:
            request.infer([image.numpy()])
            return torch.from_numpy(request.get_output_tensor(0).data.copy())
        finally:
            free.put(request)

    return call


def _file(task: Task, name: str, route: str) -> Path:
    return task.folder / f"{name}-{route}.xml"
