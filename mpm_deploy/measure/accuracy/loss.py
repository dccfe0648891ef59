"""Shows where merging costs accuracy: pixels that only the full-token model labels right, by zone.

    true label map ─┬─ a small object ───────────▶ zone 0
                    ├─ else, near a boundary ────▶ zone 1
                    └─ else ─────────────────────▶ zone 2

An object is a region of one class, connected over the four neighbors of its pixels; a small one
has fewer than 32 × 32 pixels, as in the COCO data set (Lin et al., ECCV 2014). Near a boundary is
within the tolerance of `measure.accuracy.boundary`. Small objects come first: most of their pixels
are near a boundary too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.measure.accuracy.boundary import near_boundary
from mpm_deploy.measure.accuracy.objects import object_sizes

Labels = NDArray[np.integer[Any]]
Zones = NDArray[np.int8]  # (height, width): an index into ZONES, or NO_ZONE

ZONES = ("small objects", "boundaries", "elsewhere")
NO_ZONE = -1  # of a pixel that does not count, or is not asked for
SMALL = 32 * 32  # pixels


@dataclass(frozen=True)
class ZoneLoss:
    """The pixels of one zone that were lost and won.

    Attributes:
        pixels: All pixels of the zone that count.
        lost: Those that the full-token model labels right, and the artifact does not.
        won: Those that the artifact labels right, and the full-token model does not.
    """

    name: str
    pixels: int
    lost: int
    won: int


def zones_of(truth: Labels, ignored: int = 255) -> Zones:
    """Return the zone of each pixel ``(height, width)``; pixels of class ``ignored``
    are in none.
    """
    counted = truth != ignored
    zones = np.where(near_boundary(truth, counted), 1, 2).astype(np.int8)
    zones[object_sizes(truth) < SMALL] = 0
    zones[~counted] = NO_ZONE
    return zones


def lost_pixels(truth: Labels, labels: Labels, others: Labels) -> NDArray[np.bool_]:
    """Return ``(height, width)`` bool: the pixels where ``others`` are right and
    ``labels`` are wrong.
    """
    lost: NDArray[np.bool_] = (others == truth) & (labels != truth)
    return lost


def zone_losses(zones: Zones, lost: NDArray[np.bool_], won: NDArray[np.bool_]) -> list[ZoneLoss]:
    """Count the pixels of one image by zone; all three maps are ``(height, width)``."""
    return [
        ZoneLoss(name, *(int(np.count_nonzero(zones[of] == zone)) for of in (..., lost, won)))
        for zone, name in enumerate(ZONES)
    ]


def summed(images: Sequence[Sequence[ZoneLoss]]) -> tuple[ZoneLoss, ...]:
    """Sum the counts of several images, zone by zone."""
    return tuple(
        ZoneLoss(
            name=zone[0].name,
            pixels=sum(image.pixels for image in zone),
            lost=sum(image.lost for image in zone),
            won=sum(image.won for image in zone),
        )
        for zone in zip(*images, strict=True)
    )
