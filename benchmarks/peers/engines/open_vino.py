"""Runs OpenVINO: interpolation and argmax inside the graph, latency hint, a stream for each call.

Its CPU plugin compiles the attention of a full-token model into fused `Subgraph` nodes, by either
route; with the sizes of a merged one unknown it cannot.
"""

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers.engines.onnx_runtime import onnx_file
from benchmarks.peers.engines.peer import Call, Peer, Task
from benchmarks.peers.models import calibration_images
from benchmarks.peers.variants import Variant
from mpm_deploy.images.decode import decode, fit

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_OPSET = 18  # the one that merged models too can be exported to
_EXPORTERS = ("torch.export", "ONNX")
_REST_IN = ", the rest in "


class OpenVino(Peer):
    """Runs the CPU plugin, by the faster route into it."""

    name = "OpenVINO"
    variants = (
        *(Variant(), Variant("bfloat16")),
        *(Variant(merged=True), Variant("bfloat16", merged=True)),
    )
    packages = ("openvino", "onnx", "onnxscript")
    routes = _EXPORTERS

    def make(self, task: Task, graph: str, route: str) -> None:
        _save(_read(task, graph, route), _file(task, graph, route))

    def load(self, task: Task, graph: str, route: str) -> Call:
        return _compile(task, _file(task, graph, route), task.variant.dtype)


class OpenVinoInt8(Peer):
    """Runs what NNCF quantizes after training, calibrated on scenes; what it leaves as it was
    computes in float32 or in bfloat16, by the faster route.
    """

    name = "OpenVINO with NNCF"
    variants = (Variant("int8"), Variant("int8", merged=True))
    packages = ("openvino", "onnx", "onnxscript", "nncf")
    routes = tuple(f"{way}{_REST_IN}{dtype}" for way in _EXPORTERS for dtype in _HINTS)

    def make(self, task: Task, graph: str, route: str) -> None:
        exporter, _ = route.split(_REST_IN)
        path = _file(task, graph, exporter)
        if not path.exists():  # it is the same, whatever the rest computes in
            _save(_quantized(task, _read(task, graph, exporter)), path)

    def load(self, task: Task, graph: str, route: str) -> Call:
        exporter, dtype = route.split(_REST_IN)
        return _compile(task, _file(task, graph, exporter), dtype)


def _read(task: Task, graph: str, exporter: str) -> Any:
    import openvino

    if exporter == "ONNX":
        return openvino.convert_model(str(onnx_file(task, graph, _OPSET)))
    with torch.no_grad():
        return openvino.convert_model(torch.export.export(task.graph(graph), (task.image(),)))


def _quantized(task: Task, model: Any) -> Any:
    """Quantize weights and activations to 8 bits, as NNCF advises for transformers."""
    import nncf

    images = list(_calibration(task))
    return nncf.quantize(
        model,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset.MIXED,  # activations of both signs, as GELU's
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(images),
    )


def _calibration(task: Task) -> Iterator[NDArray[Any]]:
    for path in calibration_images():
        yield fit(decode(path), task.size)[None].numpy()


def _save(model: Any, path: Path) -> None:
    import openvino

    openvino.save_model(model, str(path), compress_to_fp16=False)


def _compile(task: Task, path: Path, dtype: str) -> Call:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": task.at_once * task.threads,
        "INFERENCE_PRECISION_HINT": _HINTS[dtype],
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


def _file(task: Task, graph: str, exporter: str) -> Path:
    return task.folder / f"{graph}-{exporter}.xml"
