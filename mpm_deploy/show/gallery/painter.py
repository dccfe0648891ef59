"""Draws the pictures of one image after another, and collects the figures for the index."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.artifact import Manifest
from mpm_deploy.images.decode import decode
from mpm_deploy.measure.accuracy.loss import ZoneLoss, lost_pixels, summed, zone_losses, zones_of
from mpm_deploy.measure.speed.report import ArtifactInfo, SkippedImage
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.show.drawing import merge_distances, share_equal, sheet
from mpm_deploy.show.gallery.index import SCHEMA, Gallery, Picture, PictureEntry
from mpm_deploy.show.gallery.rows import Row, Rows, SegmentedImage
from mpm_deploy.show.gallery.truth import Labels, TrueLabels
from mpm_deploy.support.files import written_atomically


class Painter:
    """Draws the pictures of one image after another, and collects the figures for the index.

    Args:
        manifest: The artifact's manifest.
        folder: An existing folder for the pictures.
        names: The names of the artifact and of the one it is compared with.
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
        self._pair: list[SegmentedImage] | None = [] if pair else None
        self._pictured: list[PictureEntry] = []
        self._skipped: list[SkippedImage] = []
        self._distances: list[list[NDArray[np.float64]]] = []  # an image, a merge, (pairs,)

    def paint(
        self, name: str, path: Path, outcome: Result | Skipped, other: Result | Skipped | None
    ) -> None:
        """Draw one image from the results of two artifacts; ``other`` is None where
        there is one artifact.
        """
        if isinstance(outcome, Skipped):
            self._skipped.append(SkippedImage(outcome.path, outcome.reason))
            return
        seen = SegmentedImage(path.stem, decode(path).permute(1, 2, 0).numpy(), outcome)
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
        self._pictured.append(
            PictureEntry(
                image=str(path),
                tokens_kept=outcome.tokens_kept,
                labels_equal=equal,
                loss=tuple(loss),
                pictures=files,
                patches=self._manifest.patches * len(outcome.windows),
            )
        )

    def gallery(self, artifact: ArtifactInfo, against: ArtifactInfo | None) -> Gallery:
        """Return the index of what was drawn so far."""
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
        """Tell whether the merge maps cover the whole image; an image cut into windows has one map
        per window, and windows overlap.
        """
        maps = result.merge_maps
        return maps.ndim == 2 and len(maps) > 0 and maps.shape[1] == self._manifest.patches

    def _merges(self, seen: SegmentedImage) -> dict[str, list[Row]]:
        self._distances.append(merge_distances(seen.result.merge_maps, self._manifest.grid))
        pictures = {"merges": [self._rows.merges(seen)]}
        if self._pair is not None:
            self._pair.append(seen)
            if len(self._pair) == 2:
                pictures["pair"] = self._rows.pair(self._pair)
        return pictures

    def _loss(
        self, seen: SegmentedImage, other: Result, truth: Labels
    ) -> tuple[Row, list[ZoneLoss]]:
        zones, ours = zones_of(truth), seen.result.labels
        lost = lost_pixels(truth, ours, other.labels)
        loss = zone_losses(zones, lost, won=lost_pixels(truth, other.labels, ours))
        return self._rows.loss(seen, truth, zones, lost, loss), loss

    def _save(self, file: str, rows: list[Row]) -> Picture:
        with written_atomically(self._folder / file) as temporary:
            sheet(rows).save(temporary)
        return Picture(file, ", ".join(panel.words for row in rows for panel in row))


def _histogram(distances: NDArray[np.float64]) -> tuple[int, ...]:
    """Count pairs by their distance, rounded down to whole patches."""
    return tuple(np.bincount(distances.astype(int)).tolist())
