"""Ways to make fewer tokens of many: pure functions on packed rows, apart from any model."""

from mpm_deploy.reduction.mpm import compose, mutual_pair_merge, reconstruct

__all__ = ["compose", "mutual_pair_merge", "reconstruct"]
