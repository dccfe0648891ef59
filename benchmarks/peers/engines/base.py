"""Defines what every peer is: a way to compute ``scores`` and ``label_map`` for one image.

Peer.convert   model ──▶ files of its own, once
Peer.open      files ──▶ Session: scores, label_map
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.engines.graphs import GRAPHS
from benchmarks.peers.engines.plain import plain_operations
from mpm_deploy.builder.build import make_model
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe import Recipe


@dataclass(frozen=True)
class Variant:
    """A precision, and whether the model merges."""

    dtype: str = "float32"
    merged: bool = False

    @property
    def name(self) -> str:
        """The variant's name, as in ``bfloat16-full_token``."""
        return f"{self.dtype}-{'merged' if self.merged else 'full_token'}"


@dataclass(frozen=True)
class Task:
    """The model that a peer is to run, and how.

    Attributes:
        recipe: The recipe of the merged model.
        variant: How to run it.
        folder: A folder for the files of this peer and variant.
        shared: A folder for files that serve several peers.
        threads: Threads of one call.
        at_once: Calls at the same time, from as many threads.
    """

    recipe: Recipe
    variant: Variant
    folder: Path
    shared: Path
    threads: int
    at_once: int = 1

    def model(self, dtype: str = "float32") -> Segmenter:
        """Make the eager model on the CPU, as ``mpm_deploy`` makes it, in ``dtype``."""
        recipe = self.recipe if self.variant.merged else self.recipe.full_token()
        model, _ = make_model(recipe.override(f"backend.dtype={dtype}"))
        return model.eval()

    def graphs(self, dtype: str = "float32") -> dict[str, nn.Module]:
        """Make the two functions as modules from ``(1, 3, H, W)`` uint8: ``scores`` and
        ``labels``.
        """
        model = self.model(dtype)
        return {name: graph(model).eval() for name, graph in GRAPHS.items()}


class Session(ABC):
    """An open model; as many threads may call it at once as its task says.

    Images are ``(1, 3, H, W)`` uint8 of the model's input size.
    """

    @abstractmethod
    def scores(self, image: Tensor) -> Any:
        """Compute the class scores ``(1, K, h, w)``, in the engine's own array type."""

    @abstractmethod
    def label_map(self, image: Tensor) -> NDArray[np.uint8]:
        """Compute the class of every pixel ``(H, W)``, by plain bilinear interpolation
        and argmax.
        """


class Peer(ABC):
    """An engine that the project is compared with; one object serves every model."""

    name: ClassVar[str]
    variants: ClassVar[tuple[Variant, ...]]
    packages: ClassVar[tuple[str, ...]] = ()

    def missing(self) -> list[str]:
        """Return those of its packages that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]

    def convert(self, task: Task) -> str:
        """Write what `open` reads into the task's folder, in plain operations.

        Returns:
            A note that a reader of the figures should know, as the route taken; may be empty.
        """
        with plain_operations():
            return self._convert(task)

    def _convert(self, task: Task) -> str:
        return ""

    @abstractmethod
    def open(self, task: Task) -> Session:
        """Open what `convert` wrote."""


class ModuleSession(Session):
    """A session of two callables that take and give tensors, without autograd."""

    def __init__(self, scores: Any, labels: Any) -> None:
        self._scores = scores
        self._labels = labels

    def scores(self, image: Tensor) -> Tensor:
        with torch.inference_mode():
            return self._scores(image)

    def label_map(self, image: Tensor) -> NDArray[np.uint8]:
        with torch.inference_mode():
            return self._labels(image)[0].numpy()
