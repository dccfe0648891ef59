"""Merge many tokens into fewer on packed rows, apart from any model.

A method is one module here; `base.py` says what it takes and what it returns.
"""

from collections.abc import Callable

from mpm_deploy.models.reductions.algm import Algm
from mpm_deploy.models.reductions.base import Method, Packed, Reduction
from mpm_deploy.models.reductions.mpm import Mpm, compose, mutual_pair_merge, reconstruct
from mpm_deploy.models.reductions.tome import Tome
from mpm_deploy.recipe import MergeRecipe

__all__ = [
    "Algm",
    "Method",
    "Mpm",
    "Packed",
    "Reduction",
    "Tome",
    "compose",
    "method_of",
    "mutual_pair_merge",
    "reconstruct",
]

_METHODS: dict[str, Callable[[MergeRecipe], Method]] = {
    "mpm": lambda merge: Mpm(),
    "tome": lambda merge: Tome(merge.ratio or 0.0, merge.r or 0, merge.proportional_attention),
    "algm": lambda merge: Algm(merge.threshold or 0.0),
    "none": lambda merge: Mpm(),  # at no block
}


def method_of(merge: MergeRecipe) -> Method:
    """Return the merge method that a recipe names, with its options."""
    return _METHODS[merge.method](merge)
