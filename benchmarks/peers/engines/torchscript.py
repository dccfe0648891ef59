"""Runs TorchScript: scripted and frozen, with interpolation and argmax inside."""

import torch

from benchmarks.peers.engines.base import ModuleSession, Peer, Session, Task, Variant


class TorchScript(Peer):
    """Runs what ``torch.jit.script`` and ``torch.jit.freeze`` give."""

    name = "TorchScript"
    variants = (Variant(),)

    def _convert(self, task: Task) -> str:
        for name, graph in task.graphs(task.variant.dtype).items():
            torch.jit.freeze(torch.jit.script(graph)).save(str(task.folder / f"{name}.pt"))
        return ""

    def open(self, task: Task) -> Session:
        files = {name: task.folder / f"{name}.pt" for name in ("scores", "labels")}
        return ModuleSession(**{name: torch.jit.load(str(file)) for name, file in files.items()})
