"""Measures the paper's GPU tables anew in a rented GPU's minutes: ``run.sh``.

bundle     the folder that is carried there, with no need of a network
schedule   what runs there, in the order of worth
launch     runs it, each step a process of its own

smallest   the smallest model: whether compiled ones run there at all
prepare    scenes and weights, made once
rows       the paper's rows, and the ways of merging
measure    one row and method: built, timed, compared
stages     where the time of a forward goes, and what the GPU can do at best

results    what is kept, as JSON, part by part
targets    whether it is enough
floors     the least time there can be, measured or predicted
tables     the record as tables and sentences

rehearsal  the same on a CPU, with stand-ins
hollow     a GPU that computes nothing
kernels    compiled for an H100 without one
"""
