"""Exports models as ONNX files, for the engines that read them."""

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.peers.engines.base import Task

INPUT = "images"


def onnx_file(task: Task, name: str, opset: int) -> Path:
    """Return the file of a graph in ``opset``; export it if it is not there."""
    path = task.shared / f"{name}-{opset}.onnx"
    if not path.exists():
        graph = task.graphs()[name]
        height, width = graph.model.image_size
        image = torch.zeros(1, 3, height, width, dtype=torch.uint8)
        with torch.no_grad():
            _export(graph, image, path, opset)
    return path


def _export(graph: nn.Module, image: Tensor, path: Path, opset: int) -> None:
    partial = path.with_suffix(".partial")
    torch.onnx.export(
        graph,
        (image,),
        str(partial),
        dynamo=True,
        opset_version=opset,
        input_names=[INPUT],
        output_names=["output"],
        external_data=False,
        verbose=False,
    )
    partial.rename(path)
