"""Compares this project with peers, in parts; ``benchmarks/cpu_peers.py`` runs it.

subjects ──▶ contestants ──▶ rounds ──▶ results ──▶ targets, tables
which model   each engine,     in turns   per round,   met or missed
              its process                 and labels'
                 │                        agreement
__main__ ◀───────┘  the process of a peer: `worker` answers passes with a member of `engines`,
                    one image at a time or `side_by_side`
"""
