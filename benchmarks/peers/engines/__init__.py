"""Holds the peers: engines that an ordinary user may run the same model with.

peer       what every peer is: routes ─▶ files, and files ─▶ scores and label maps
graphs     the model as other engines' exporters can read it
routes     the routes into an engine: all are tried, and the fastest right one is taken
pytorch, onnx_runtime, open_vino, transformers_peers  the members
"""

from benchmarks.peers.engines.onnx_runtime import OnnxRuntime
from benchmarks.peers.engines.open_vino import OpenVino, OpenVinoInt8
from benchmarks.peers.engines.peer import Peer, Session, Task
from benchmarks.peers.engines.pytorch import AotInductor, Eager, TorchScript
from benchmarks.peers.engines.transformers_peers import TransformersCompiled, TransformersEager

__all__ = ["PEERS", "Peer", "Session", "Task"]

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        *(Eager(), TorchScript(), AotInductor()),
        *(OnnxRuntime(), OpenVino(), OpenVinoInt8()),
        *(TransformersEager(), TransformersCompiled()),
    )
}
