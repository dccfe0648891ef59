"""Lays out the panels of each picture of the gallery."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.artifact import Manifest
from mpm_deploy.measure.accuracy.loss import NO_ZONE, ZONES, ZoneLoss, Zones
from mpm_deploy.run.results import Result
from mpm_deploy.show.drawing import Key, Panel, difference, merge_picture, overlay, zone_picture
from mpm_deploy.show.drawing.merges import Padding
from mpm_deploy.show.gallery.truth import Labels
from mpm_deploy.show.tables import place

Pixels = NDArray[np.uint8]
Row = list[Panel]

# Of ZONES; apart to color-blind eyes too.
ZONE_COLORS = ((214, 110, 0), (20, 90, 220), (215, 25, 95))
_FAINT = 0.7  # of colors that the image shows through
_REST = len(ZONES) - 1  # the zone that the others leave


@dataclass(frozen=True, eq=False)
class SegmentedImage:
    """An image, ``(height, width, 3)`` uint8, and a model's result for it."""

    name: str
    pixels: Pixels
    result: Result


class Rows:
    """Draws the rows of panels that show models' results for images.

    Args:
        manifest: The artifact's manifest.
        names: The names of the artifact and of the one it is compared with.
    """

    def __init__(self, manifest: Manifest, names: tuple[str, str]) -> None:
        self._manifest = manifest
        self._palette = manifest.model.palette
        self._names = names
        self._padding = _padding(manifest)

    def labels(self, seen: SegmentedImage) -> Row:
        """Draw the image, and its label map over it."""
        return [Panel(seen.pixels, "image"), Panel(self._over(seen, seen.result.labels), "labels")]

    def merges(self, seen: SegmentedImage) -> Row:
        """Draw the patches that share a token, after each merge."""
        result, where = seen.result, place(self._manifest.merge)
        each = zip(self._manifest.merge.blocks, result.merge_maps, result.tokens_kept, strict=True)
        return [
            Panel(
                merge_picture(seen.pixels, merge_map, self._manifest.grid, self._padding),
                f"merged {where} block {block}: {kept} of {self._manifest.patches} tokens kept",
            )
            for block, merge_map, kept in each
        ]

    def pair(self, pair: Sequence[SegmentedImage]) -> list[Row]:
        """Draw a column for each of two images, with what is left after each merge below it."""
        images = [Panel(seen.pixels, seen.name) for seen in pair]
        return [images, *map(list, zip(*map(self.merges, pair), strict=True))]

    def difference(self, seen: SegmentedImage, other: Result, equal: float) -> Row:
        """Draw both label maps, and where their classes differ."""
        ours = seen.result.labels
        return [
            Panel(self._over(seen, ours), self._names[0]),
            Panel(self._over(seen, other.labels), self._names[1]),
            Panel(
                difference(seen.pixels, ours, other.labels),
                f"{1 - equal:.2%} of the labels differ",
            ),
        ]

    def loss(
        self,
        seen: SegmentedImage,
        truth: Labels,
        zones: Zones,
        lost: NDArray[np.bool_],
        loss: list[ZoneLoss],
    ) -> Row:
        """Draw true labels, the zones, and the pixels of each that only the other model
        has right.
        """
        counted = (zones != NO_ZONE)[..., None]
        known = self._over(seen, np.where(zones == NO_ZONE, 0, truth))
        marked = np.where(zones == _REST, NO_ZONE, zones)
        pixels, wrong = [zone.pixels for zone in loss], [zone.lost for zone in loss]
        whole, won = max(sum(pixels), 1), sum(zone.won for zone in loss)
        return [
            Panel(np.where(counted, known, seen.pixels), "true labels"),
            Panel(
                zone_picture(seen.pixels, marked, ZONE_COLORS, _FAINT),
                "where the pixels lie",
                _keys(pixels),
            ),
            Panel(
                zone_picture(seen.pixels, np.where(lost, zones, NO_ZONE), ZONE_COLORS),
                f"{sum(wrong) / whole:.2%} right in {self._names[1]} alone, won {won / whole:.2%}",
                _keys(wrong),
            ),
        ]

    def _over(self, seen: SegmentedImage, labels: Labels) -> Pixels:
        return overlay(seen.pixels, labels, self._palette)


def _padding(manifest: Manifest) -> Padding:
    """Return how many patches lie beyond an input; of an odd number of pixels one more is after
    it, as `Segmenter` pads.
    """
    patch, sizes = manifest.model.patch_size, (manifest.input.height, manifest.input.width)
    beyond = [patches * patch - size for patches, size in zip(manifest.grid, sizes, strict=True)]
    down, across = (((n // 2) / patch, (n - n // 2) / patch) for n in beyond)
    return down, across


def _keys(counts: Sequence[int]) -> tuple[Key, ...]:
    """Return a key for each zone, with its share of all that is counted."""
    each = zip(ZONE_COLORS, ZONES, counts, strict=True)
    return tuple(
        Key(color, f"{name} {count / max(sum(counts), 1):.0%}") for color, name, count in each
    )
