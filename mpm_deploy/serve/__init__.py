"""Offers a Runner to others: to the clients of a server, and to the machines of a cluster.

server   requests in the Open Inference Protocol (KServe's V2) in, label maps out
ray      batches of Ray Data in, the same with label maps out

    REST ─┐                ┌▶ decode ─┐              ┌▶ decode …
          ├─▶ places ─▶ model         ├─▶ batcher ─▶ Runner ─▶ response
    gRPC ─┘   or 429       └▶ decode ─┘

The protocol is kserve's: its types, its data plane and its gRPC service. Its server is not used: it
listens on all interfaces, lets clients unload models, and bounds neither queue nor size.
"""
