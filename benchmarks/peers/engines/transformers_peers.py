"""Runs models of transformers as their own package does, eagerly and with `torch.compile`.

Label maps are those of its image processor, which brings the masks to the image's size before it
weighs the classes.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.bench.transformers_models import MODELS, Reference
from benchmarks.peers.engines.peer import Call, Peer, Session, Task
from benchmarks.peers.variants import Variant
from mpm_deploy.errors import MpmError


class TransformersEager(Peer):
    """Calls the model that transformers loads."""

    name = "transformers"
    packages = ("transformers",)
    variants = (Variant(),)

    def convert(self, task: Task) -> str:
        _reference_of(task)
        return ""

    def load(self, task: Task, graph: str, route: str) -> Call:
        raise NotImplementedError  # one session serves both graphs

    def open(self, task: Task) -> Session:
        reference = _reference_of(task).reference().eval()
        reference.model = self.prepared(reference.model)
        return Session(reference, LabelMaps(reference, task.size))

    def prepared(self, model: nn.Module) -> Any:
        """Return the model as it is run."""
        return model


class TransformersCompiled(TransformersEager):
    """Calls the same through `torch.compile`, which compiles at its first image."""

    name = "transformers, compiled"

    def prepared(self, model: nn.Module) -> Any:
        return torch.compile(model)


class LabelMaps(nn.Module):
    """Computes labels, ``(1, 3, H, W)`` uint8 -> ``(1, H, W)`` uint8, by its image processor."""

    def __init__(self, reference: Reference, size: tuple[int, int]) -> None:
        from transformers import EomtImageProcessor

        super().__init__()
        self.reference, self.size = reference, size
        edges = {"shortest_edge": min(size), "longest_edge": None}
        self.processor = EomtImageProcessor(size=edges)

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.reference.outputs(images)
        labels = self.processor.post_process_semantic_segmentation(outputs, [self.size])
        return labels[0][None].to(torch.uint8)


def _reference_of(task: Task) -> Any:
    """Return the model of transformers whose folder a task's weights are."""
    model = MODELS.get(Path(task.recipe.model.weights).name)
    if model is None or not model.is_eomt:
        raise MpmError("it has no such model with its head")
    return model
