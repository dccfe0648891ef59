"""Merge many tokens into fewer on packed rows, apart from any model.

A method is one module here and one line in `families.REDUCTIONS`; `base.py` says what it takes and
what it returns.
"""

from mpm_deploy.models.reductions.algm import Algm
from mpm_deploy.models.reductions.base import Method, Packed, Reduction
from mpm_deploy.models.reductions.cts import Cts
from mpm_deploy.models.reductions.mpm import Mpm, compose, mutual_pair_merge, reconstruct
from mpm_deploy.models.reductions.tome import Tome

__all__ = [
    "Algm",
    "Cts",
    "Method",
    "Mpm",
    "Packed",
    "Reduction",
    "Tome",
    "compose",
    "mutual_pair_merge",
    "reconstruct",
]
