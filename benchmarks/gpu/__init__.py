"""The paper's GPU tables, measured anew: ``python -m benchmarks.h100``.

subjects   which models, and what is to be reached      paper    what the paper measured
prepare    scenes, weights and artifacts, made once     stages   where the time of a forward goes
results    what is kept, as JSON                        targets  whether it is enough
"""
