"""Finds the best way of merging: `sweep` measures many, `advise` only those that may be
the best.
"""
