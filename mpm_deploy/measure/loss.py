"""Where merging costs accuracy: pixels that only the full-token model labels right, by zone.

    true label map ─┬─ a small object ───────────▶ zone 0
                    ├─ else, near a boundary ────▶ zone 1
                    └─ else ─────────────────────▶ zone 2

An object is a region of one class, connected over the four neighbours of its pixels; a small one
has fewer than 32 × 32 pixels, as in the COCO data set (Lin et al., ECCV 2014). Near a boundary is
within the tolerance of `mpm_deploy.measure.boundary`. Small objects come first: most of their
pixels are near a boundary too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.measure.boundary import near_boundary
from mpm_deploy.measure.objects import object_sizes

Labels = NDArray[np.integer[Any]]
Zones = NDArray[np.int8]  # (height, width): an index into ZONES, or NO_ZONE

ZONES = ("small objects", "boundaries", "elsewhere")
NO_ZONE = -1  # of a pixel that does not count, or is not asked for
SMALL = 32 * 32  # pixels


@dataclass(frozen=True)
class ZoneLoss:
    """Pixels of one zone.

    Attributes:
        pixels: All that count.
        lost: Those that the full-token model labels right, and the artifact does not.
        won: The other way round.
    """

    name: str
    pixels: int
    lost: int
    won: int


def zones_of(truth: Labels, ignored: int = 255) -> Zones:
    """The zone of each pixel ``(height, width)``; those of ``ignored`` are in none."""
    counted = truth != ignored
    zones = np.where(near_boundary(truth, counted), 1, 2).astype(np.int8)
    zones[object_sizes(truth) < SMALL] = 0
    zones[~counted] = NO_ZONE
    return zones


def lost_pixels(truth: Labels, labels: Labels, others: Labels) -> NDArray[np.bool_]:
    """``(height, width)``: where ``others`` are right and ``labels`` are not."""
    lost: NDArray[np.bool_] = (others == truth) & (labels != truth)
    return lost


def zone_losses(zones: Zones, lost: NDArray[np.bool_], won: NDArray[np.bool_]) -> list[ZoneLoss]:
    """One a zone, of one image; all three are ``(height, width)``."""
    return [
        ZoneLoss(name, *(int(np.count_nonzero(zones[of] == zone)) for of in (..., lost, won)))
        for zone, name in enumerate(ZONES)
    ]


def summed(images: Sequence[Sequence[ZoneLoss]]) -> tuple[ZoneLoss, ...]:
    """Over images, zone by zone."""
    return tuple(
        ZoneLoss(
            name=zone[0].name,
            pixels=sum(image.pixels for image in zone),
            lost=sum(image.lost for image in zone),
            won=sum(image.won for image in zone),
        )
        for zone in zip(*images, strict=True)
    )
