"""Compares this project with other engines, in parts; `benchmarks.cpu_peers` runs them.

models ──▶ contestants ──▶ compare ──▶ results ──▶ targets, tables
weights,    each engine,    in turns    per round,   met or missed
images,     its process                 and labels'
variants        │                       agreement
worker ◀────────┘  the process of a peer: answers passes with a member of `engines`
"""
