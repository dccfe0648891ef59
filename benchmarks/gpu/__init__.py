"""The paper's GPU tables, measured anew: ``python -m benchmarks.h100``.

subjects   the paper's rows, as models       part      one row and method: built, compared, timed
methods    how tokens merge                  stages    where the time of a forward goes
prepare    scenes and weights, made once     parity    label maps of C++ against Python's
results    what is kept, as JSON             records   begun, read, grown part by part
floor      the least time there can be       kinds     kernels by what they do, beside floors
targets    whether it is enough              tables    the record as tables
pages      README, docs and figure           kernels   compiled for an H100 without one
dry_run    all of it on a CPU, with stand-ins
predict    floors from the vendor's figures, before there is a measurement
"""
