"""Runs PyTorch eager: the model as it is. Full-token in float32, it is the plain way."""

from benchmarks.peers.engines.base import ModuleSession, Peer, Session, Task, Variant


class Eager(Peer):
    """Calls the module as it is, interpolates its scores, and takes the argmax."""

    name = "PyTorch eager"
    variants = (Variant(), Variant("bfloat16"), Variant(merged=True))

    def open(self, task: Task) -> Session:
        return ModuleSession(**task.graphs(task.variant.dtype))
