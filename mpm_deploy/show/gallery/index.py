"""Defines what `pictures.json` holds (`docs/formats/pictures.md`)."""

from dataclasses import dataclass
from typing import Any

from mpm_deploy.measure.accuracy.loss import ZoneLoss
from mpm_deploy.measure.speed.report import ArtifactInfo, SkippedImage
from mpm_deploy.support.schema import to_mapping

SCHEMA = "mpm-pictures/2"
INDEX = "pictures.json"


@dataclass(frozen=True)
class Picture:
    """A picture file in the gallery's folder, and what it shows."""

    file: str
    caption: str


@dataclass(frozen=True)
class PictureEntry:
    """One image of the gallery: its pictures and figures.

    Attributes:
        tokens_kept: After each merge, of all its windows together.
        labels_equal: The share of its labels that the other artifact gives too.
        loss: The pixels that one artifact alone labels right, by zone; empty without true labels.
        patches: Those of all its windows, which are its tokens before any merge; None in files of
            before.
    """

    image: str
    tokens_kept: tuple[int, ...]
    labels_equal: float | None
    loss: tuple[ZoneLoss, ...]
    pictures: tuple[Picture, ...]
    patches: int | None = None


@dataclass(frozen=True)
class Gallery:
    """The index of the whole gallery.

    Attributes:
        patches: The patches of an input, which are its tokens before any merge.
        distances: For each merge, how many pairs of merged tokens lay 0 to 1, 1 to 2, ... patches
            apart, over all images.
        loss: The loss over all images, by zone.
    """

    schema: str
    artifact: ArtifactInfo
    against: ArtifactInfo | None
    patches: int
    images: tuple[PictureEntry, ...]
    distances: tuple[tuple[int, ...], ...]
    loss: tuple[ZoneLoss, ...]
    skipped: tuple[SkippedImage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values that JSON can hold."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping
