"""Measures what this project is worth, beside others and beside what the hardware allows.

speed, memory, label_map, windows, cpu_peers     members of one bench: python -m benchmarks NAME
h100                                             the paper's tables on a rented GPU

member ──▶ bench/turns ──▶ record ──▶ results/*.json ──▶ render_readme ──▶ README, docs/results
what is     engines in      with       what is kept      pages/ make the
measured    own processes   commit     of it             text and figures

bench/     what members share: turns, tables, targets, ceilings, label maps against each other
peers/     other engines, one class each, and the process that runs one
gpu/       rows of the paper on a GPU: planned, rehearsed without one, measured, judged
pages/     what the README and docs say of each record
paper/     what the paper measured
notes/     how to use a rented GPU, and what was expected of it
"""
