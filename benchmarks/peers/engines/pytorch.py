"""Runs what PyTorch itself offers: eager, which is the plain way, TorchScript and AOTInductor."""

from pathlib import Path
from typing import Any

import torch

from benchmarks.peers.engines.graphs import GRAPHS
from benchmarks.peers.engines.peer import Call, Peer, Session, Task
from benchmarks.peers.variants import Variant

# Inductor's own choice, and weights packed for oneDNN while compiling.
_SETTINGS: dict[str, dict[str, Any]] = {"defaults": {}, "freezing": {"freezing": True}}


class Eager(Peer):
    """Calls the module as it is, interpolates its scores, and takes the argmax."""

    name = "PyTorch eager"
    variants = (Variant(), Variant("bfloat16"), Variant(merged=True))

    def load(self, task: Task, graph: str, route: str) -> Call:
        return task.graph(graph, task.variant.dtype)

    def open(self, task: Task) -> Session:
        model = task.model(task.variant.dtype)  # one for both: memory may be short
        return Session(**{name: graph(model).eval() for name, graph in GRAPHS.items()})


class TorchScript(Peer):
    """Runs what ``torch.jit.script`` and ``torch.jit.freeze`` give."""

    name = "TorchScript"
    variants = (Variant(),)

    def make(self, task: Task, graph: str, route: str) -> None:
        scripted = torch.jit.script(task.graph(graph, task.variant.dtype))
        torch.jit.freeze(scripted).save(str(task.folder / f"{graph}.pt"))

    def load(self, task: Task, graph: str, route: str) -> Call:
        return torch.jit.load(str(task.folder / f"{graph}.pt"))


class AotInductor(Peer):
    """Runs what ``torch.export`` and ``aoti_compile_and_package`` give, by the faster setting."""

    name = "AOTInductor"
    variants = (Variant(), Variant("bfloat16"))
    routes = tuple(_SETTINGS)

    def make(self, task: Task, graph: str, route: str) -> None:
        with torch.no_grad():
            exported = torch.export.export(task.graph(graph, task.variant.dtype), (task.image(),))
            torch._inductor.aoti_compile_and_package(
                exported,
                package_path=str(_file(task, graph, route)),
                inductor_configs=_SETTINGS[route],
            )

    def load(self, task: Task, graph: str, route: str) -> Call:
        return torch._inductor.aoti_load_package(str(_file(task, graph, route)))


def _file(task: Task, graph: str, route: str) -> Path:
    return task.folder / f"{graph}-{route}.pt2"
