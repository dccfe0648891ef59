"""What `pictures.json` holds (`docs/pictures.md`)."""

from dataclasses import dataclass
from typing import Any

from mpm_deploy.measure.loss import ZoneLoss
from mpm_deploy.measure.report import ArtifactInfo, SkippedImage
from mpm_deploy.structure import to_mapping

SCHEMA = "mpm-pictures/1"
INDEX = "pictures.json"


@dataclass(frozen=True)
class Picture:
    """A file of the gallery's folder, and what it shows."""

    file: str
    caption: str


@dataclass(frozen=True)
class Pictured:
    """One image.

    Attributes:
        labels_equal: The share of its labels that the other artifact gives too.
        loss: Where it is labelled right by one artifact alone; empty without true labels.
    """

    image: str
    tokens_kept: tuple[int, ...]
    labels_equal: float | None
    loss: tuple[ZoneLoss, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """All of it.

    Attributes:
        patches: Of an input: the tokens before any merge.
        distances: For each merge, how many pairs of merged tokens lay 0 to 1, 1 to 2, ... patches
            apart, over all images.
        loss: That of all images.
    """

    schema: str
    artifact: ArtifactInfo
    against: ArtifactInfo | None
    patches: int
    images: tuple[Pictured, ...]
    distances: tuple[tuple[int, ...], ...]
    loss: tuple[ZoneLoss, ...]
    skipped: tuple[SkippedImage, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping
