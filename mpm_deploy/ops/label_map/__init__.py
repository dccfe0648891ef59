"""Make label maps of patch scores: the class that wins at each pixel."""

from mpm_deploy.ops.label_map.reference import label_map

__all__ = ["label_map"]
