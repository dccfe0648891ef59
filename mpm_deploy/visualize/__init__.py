"""Pictures of what a model does, as functions from arrays to arrays.

image, label map ──────────▶ overlay ─────────┐
image, merge map ──────────▶ merge_picture ───┼─▶ panels: side by side, with captions
image, two label maps ─────▶ difference ──────┘
merge maps ────────────────▶ merge_distances: how far apart merged patches lie
"""

from mpm_deploy.visualize.labels import difference, overlay, share_equal
from mpm_deploy.visualize.merges import merge_distances, merge_picture
from mpm_deploy.visualize.panels import Panel, panels

__all__ = [
    "Panel",
    "difference",
    "merge_distances",
    "merge_picture",
    "overlay",
    "panels",
    "share_equal",
]
