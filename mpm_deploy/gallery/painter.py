"""Draws image after image, and remembers the figures."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.artifact import Manifest
from mpm_deploy.files import written_atomically
from mpm_deploy.gallery.index import SCHEMA, Gallery, Picture, Pictured
from mpm_deploy.gallery.rows import Row, Rows, Seen
from mpm_deploy.gallery.truth import Labels, TrueLabels
from mpm_deploy.images import decode
from mpm_deploy.measure.loss import ZoneLoss, lost_pixels, summed, zone_losses, zones_of
from mpm_deploy.measure.report import ArtifactInfo, SkippedImage
from mpm_deploy.results import Result, Skipped
from mpm_deploy.visualize import merge_distances, share_equal, sheet


class Painter:
    """Draws image after image, and remembers the figures.

    Args:
        manifest: Of the artifact.
        folder: For the pictures; it is there.
        names: Of the artifact and the one it is held against.
        truth: True label maps, to draw where the artifact loses against the other one.
        pair: Whether to draw the second image beside the first.
    """

    def __init__(
        self,
        manifest: Manifest,
        folder: Path,
        names: tuple[str, str],
        truth: TrueLabels | None,
        pair: bool,
    ) -> None:
        self._manifest = manifest
        self._folder = folder
        self._rows = Rows(manifest, names)
        self._truth = truth
        self._pair: list[Seen] | None = [] if pair else None
        self._pictured: list[Pictured] = []
        self._skipped: list[SkippedImage] = []
        self._distances: list[list[NDArray[np.float64]]] = []  # an image, a merge, (pairs,)

    def paint(
        self, name: str, path: Path, outcome: Result | Skipped, other: Result | Skipped | None
    ) -> None:
        """Draw one image, of which two artifacts said this; None where there is one artifact."""
        if isinstance(outcome, Skipped):
            self._skipped.append(SkippedImage(outcome.path, outcome.reason))
            return
        seen = Seen(path.stem, decode(path).permute(1, 2, 0).numpy(), outcome)
        pictures = {"labels": [self._rows.labels(seen)]}
        if self._has_maps(outcome):
            pictures |= self._merges(seen)
        equal, loss = None, list[ZoneLoss]()
        if isinstance(other, Result):
            equal = share_equal(outcome.labels, other.labels)
            pictures["difference"] = [self._rows.difference(seen, other, equal)]
            if self._truth is not None:
                row, loss = self._loss(seen, other, self._truth.of(path, outcome.labels.shape))
                pictures["loss"] = [row]
        files = tuple(self._save(f"{name}.{kind}.png", rows) for kind, rows in pictures.items())
        self._pictured.append(Pictured(str(path), outcome.tokens_kept, equal, tuple(loss), files))

    def gallery(self, artifact: ArtifactInfo, against: ArtifactInfo | None) -> Gallery:
        """What was drawn so far."""
        each_merge = zip(*self._distances, strict=True)
        return Gallery(
            schema=SCHEMA,
            artifact=artifact,
            against=against,
            patches=self._manifest.patches,
            images=tuple(self._pictured),
            distances=tuple(_histogram(np.concatenate(merge)) for merge in each_merge),
            loss=summed([image.loss for image in self._pictured if image.loss]),
            skipped=tuple(self._skipped),
        )

    def _has_maps(self, result: Result) -> bool:
        """Of the whole image: what was cut into windows has one map a window, which overlap."""
        maps = result.merge_maps
        return maps.ndim == 2 and len(maps) > 0 and maps.shape[1] == self._manifest.patches

    def _merges(self, seen: Seen) -> dict[str, list[Row]]:
        self._distances.append(merge_distances(seen.result.merge_maps, self._rows.grid))
        pictures = {"merges": [self._rows.merges(seen)]}
        if self._pair is not None:
            self._pair.append(seen)
            if len(self._pair) == 2:
                pictures["pair"] = self._rows.pair(self._pair)
        return pictures

    def _loss(self, seen: Seen, other: Result, truth: Labels) -> tuple[Row, list[ZoneLoss]]:
        zones, ours = zones_of(truth), seen.result.labels
        lost = lost_pixels(truth, ours, other.labels)
        loss = zone_losses(zones, lost, won=lost_pixels(truth, other.labels, ours))
        return self._rows.loss(seen, truth, zones, lost, loss), loss

    def _save(self, file: str, rows: list[Row]) -> Picture:
        with written_atomically(self._folder / file) as temporary:
            sheet(rows).save(temporary)
        return Picture(file, ", ".join(panel.words for row in rows for panel in row))


def _histogram(distances: NDArray[np.float64]) -> tuple[int, ...]:
    """Pairs by the whole patches of their distance."""
    return tuple(np.bincount(distances.astype(int)).tolist())
