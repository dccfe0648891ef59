"""Ways to make fewer tokens of many: on packed rows, apart from any model.

A method is one module here; `base.py` says what it is given and gives.
"""

from collections.abc import Callable

from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.reduction.algm import Algm
from mpm_deploy.reduction.base import Method, Packed, Reduction
from mpm_deploy.reduction.mpm import Mpm, compose, mutual_pair_merge, reconstruct
from mpm_deploy.reduction.tome import Tome

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
    """The method that a recipe names, with its options."""
    return _METHODS[merge.method](merge)
