"""Compares this project with other engines, in parts; `benchmarks.cpu_peers` runs them.

models ──▶ contestants ──▶ compare ──▶ results ──▶ targets, tables
weights     each engine,    in turns    per round,   met or missed
and images  its process                 and labels'
                │                       agreement
__main__ ◀──────┘  the process of a peer: `worker` answers passes with a member of `engines`
"""
