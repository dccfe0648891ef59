"""Measures the paper's GPU tables anew in a rented GPU's minutes: ``run.sh``.

schedule   what runs, in the order of worth   launch    runs it, each step a process of its own
bundle     the folder that is carried there    rehearsal the same on a CPU, with stand-ins
hollow     a GPU that computes nothing         kernels   compiled for an H100 without one

subjects   the paper's rows, as models       part      one row and method: built, compared, timed
methods    how tokens merge                  stages    where the time of a forward goes
prepare    scenes and weights, made once     parity    label maps of C++ against Python's
results    what is kept, as JSON             records   begun, read, grown part by part
floor      the least time there can be       kinds     kernels by what they do, beside floors
targets    whether it is enough              tables    the record as tables
pages      README, docs and figure
predict    floors from the vendor's figures, before there is a measurement
"""
