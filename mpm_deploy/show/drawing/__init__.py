"""Draws pictures of what a model does, by functions from arrays to arrays.

image, label map ──────────▶ overlay ─────────┐
image, merge map ──────────▶ merge_picture ───┼─▶ panels: side by side, with captions
image, two label maps ─────▶ difference ──────┤   sheet: several such rows
image, zones ──────────────▶ zone_picture ────┘
merge maps ────────────────▶ merge_distances: how far apart merged patches lie
"""

from mpm_deploy.show.drawing.labels import difference, overlay, share_equal
from mpm_deploy.show.drawing.merges import merge_distances, merge_picture
from mpm_deploy.show.drawing.panels import Key, Panel, panels, sheet
from mpm_deploy.show.drawing.zones import zone_picture

__all__ = [
    "Key",
    "Panel",
    "difference",
    "merge_distances",
    "merge_picture",
    "overlay",
    "panels",
    "share_equal",
    "sheet",
    "zone_picture",
]
