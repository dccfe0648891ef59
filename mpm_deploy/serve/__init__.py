"""Serves artifacts to the clients of others, in the Open Inference Protocol (KServe's V2).

    REST ─┐                ┌▶ decode ─┐              ┌▶ decode …
          ├─▶ places ─▶ model         ├─▶ batcher ─▶ Runner ─▶ response
    gRPC ─┘   or 429       └▶ decode ─┘

The protocol is kserve's: its types, its data plane and its gRPC service. Its server is not used: it
listens on all interfaces, lets clients unload models, and bounds neither queue nor size.
"""
