"""Runs AOTInductor, with interpolation and argmax inside the compiled graph."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.engines.base import ModuleSession, Peer, Session, Task, Variant
from benchmarks.peers.engines.routes import Call, choose_routes, chosen_routes

# Inductor's own choice, and weights packed for oneDNN while compiling.
ROUTES: dict[str, dict[str, Any]] = {"defaults": {}, "freezing": {"freezing": True}}


class AotInductor(Peer):
    """Runs what ``torch.export`` and ``aoti_compile_and_package`` give, by the faster setting."""

    name = "AOTInductor"
    variants = (Variant(), Variant("bfloat16"))

    def _convert(self, task: Task) -> str:
        graphs = task.graphs(task.variant.dtype)
        height, width = task.model().image_size
        image = torch.zeros(1, 3, height, width, dtype=torch.uint8)
        routes = {
            name: {route: partial(_compile, task, name, graph, image, route) for route in ROUTES}
            for name, graph in graphs.items()
        }
        return choose_routes(task, routes)

    def open(self, task: Task) -> Session:
        chosen = chosen_routes(task.folder)
        return ModuleSession(
            **{name: _load(_file(task, name, route)) for name, route in chosen.items()}
        )


def _compile(task: Task, name: str, graph: nn.Module, image: Tensor, route: str) -> Call:
    path = _file(task, name, route)
    with torch.no_grad():
        exported = torch.export.export(graph, (image,))
        torch._inductor.aoti_compile_and_package(
            exported, package_path=str(path), inductor_configs=ROUTES[route]
        )
    return _load(path)


def _file(task: Task, name: str, route: str) -> Path:
    return task.folder / f"{name}-{route}.pt2"


def _load(path: Path) -> Call:
    return torch._inductor.aoti_load_package(str(path))
