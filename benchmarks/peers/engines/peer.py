"""Defines what every peer is: a way to compute scores and a label map for one image.

Peer.convert   model ──▶ files of its own by each route, once; the fastest right route is taken
Peer.open      files ──▶ Session: scores, label_map
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.bench.member import missing_of
from benchmarks.peers.engines.graphs import GRAPHS, plain_operations
from benchmarks.peers.engines.routes import Trial, as_labels, best, try_routes
from benchmarks.peers.variants import Variant
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.schema import to_mapping

Call = Callable[[Tensor], Tensor]


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
        recipe = self.variant.changed(self.recipe)
        model, _ = make_model(recipe.override(f"backend.dtype={dtype}"))
        return model.eval()

    def graph(self, name: str, dtype: str = "float32") -> nn.Module:
        """Make one of `GRAPHS`, a module from ``(1, 3, H, W)`` uint8."""
        return GRAPHS[name](self.model(dtype)).eval()

    @property
    def size(self) -> tuple[int, int]:
        """The size of the model's input: ``(height, width)``."""
        return self.recipe.model.image_size or (512, 512)

    def image(self) -> Tensor:
        """Return an image to export with and to compare with, ``(1, 3, H, W)`` uint8."""
        return verification_images(1, self.size)


class Session:
    """An open model: two callables that take and give tensors, called without autograd.

    As many threads may call it at once as its task says. Images are ``(1, 3, H, W)`` uint8 of the
    model's input size.
    """

    def __init__(self, scores: Any, labels: Any) -> None:
        self._scores = scores
        self._labels = labels

    def scores(self, image: Tensor) -> Tensor:
        """Compute the class scores ``(1, K, h, w)``."""
        with torch.inference_mode():
            return self._scores(image)

    def label_map(self, image: Tensor) -> NDArray[np.uint8]:
        """Compute the class of every pixel ``(H, W)``, by plain bilinear interpolation
        and argmax.
        """
        with torch.inference_mode():
            return self._labels(image)[0].numpy()


class Peer(ABC):
    """An engine that the project is compared with; one object serves every model.

    Attributes:
        name: The name that tables show.
        variants: The precisions that it runs, full-token and merged by the recipe's schedule: what
            it can merge, it is asked to merge by every schedule of a model.
        packages: The packages that it needs.
        routes: Ways into the engine, as exporters or settings; one without a name is the only one.
    """

    name: ClassVar[str]
    variants: ClassVar[tuple[Variant, ...]]
    packages: ClassVar[tuple[str, ...]] = ()
    routes: ClassVar[tuple[str, ...]] = ("",)

    def missing(self) -> list[str]:
        """Return those of its packages that are not installed."""
        return missing_of(self.packages)

    def convert(self, task: Task) -> str:
        """Write what `open` reads into the task's folder, in plain operations.

        Returns:
            A note that a reader of the figures should know, the route taken; empty where there is
            but one.

        Raises:
            MpmError: A graph has no route that works; names each route's failure.
        """
        image = task.image()
        chosen: dict[str, str] = {}
        tried: dict[str, list[Trial]] = {}
        with plain_operations():
            for graph in GRAPHS:
                with torch.inference_mode():
                    expected = as_labels(task.graph(graph)(image))
                ways = {route: partial(self._try, task, graph, route) for route in self.routes}
                tried[graph] = try_routes(ways, expected)
                chosen[graph] = best(tried[graph]).route
        content = {"chosen": chosen, "tried": to_mapping(tried)}
        _routes_file(task).write_text(json.dumps(content, indent=2) + "\n")
        taken = ", ".join(f"{graph} by {route}" for graph, route in chosen.items())
        return taken if len(self.routes) > 1 else ""

    def open(self, task: Task) -> Session:
        """Open what `convert` wrote."""
        chosen = json.loads(_routes_file(task).read_text())["chosen"]
        return Session(**{name: self.load(task, name, route) for name, route in chosen.items()})

    def make(self, task: Task, graph: str, route: str) -> None:
        """Write the files of one of `GRAPHS` by a route; a peer without files writes none."""
        return

    @abstractmethod
    def load(self, task: Task, graph: str, route: str) -> Call:
        """Open what `make` wrote."""

    def _try(self, task: Task, graph: str, route: str) -> Callable[[], Tensor]:
        self.make(task, graph, route)
        return partial(self.load(task, graph, route), task.image())


def _routes_file(task: Task) -> Path:
    return task.folder / "routes.json"
