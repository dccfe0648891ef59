"""Holds the peers, one file each: engines that an ordinary user may run the same model with."""

from benchmarks.peers.engines.aotinductor import AotInductor
from benchmarks.peers.engines.base import Peer, Session, Task, Variant
from benchmarks.peers.engines.eager import Eager
from benchmarks.peers.engines.onnx_runtime import OnnxRuntime
from benchmarks.peers.engines.open_vino import OpenVino
from benchmarks.peers.engines.torchscript import TorchScript

__all__ = ["PEERS", "Peer", "Session", "Task", "Variant"]

PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (Eager(), TorchScript(), AotInductor(), OnnxRuntime(), OpenVino())
}
