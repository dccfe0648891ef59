"""Reads Pascal Context, in the layout that mmsegmentation converts it to.

    root/VOCdevkit/VOC2010/
    ├── JPEGImages/2008_000002.jpg
    ├── SegmentationClassContext/2008_000002.png
    └── ImageSets/SegmentationContext/val.txt       a name a line

In the label maps 0 is the background. It is the first of 60 classes, or does not count where only
the other 59 do.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mpm_deploy.datasets.base import Dataset, Sample
from mpm_deploy.datasets.label_files import IGNORED
from mpm_deploy.errors import DatasetError
from mpm_deploy.models.weights.classes import names_of
from mpm_deploy.support.refusal import refusal

_VOC = "VOCdevkit/VOC2010"
_IMAGES, _LABELS = f"{_VOC}/JPEGImages", f"{_VOC}/SegmentationClassContext"
_SPLIT = f"{_VOC}/ImageSets/SegmentationContext/val.txt"


class PascalContext(Dataset):
    """Pascal Context: the 5105 images of the validation split; the background is one of
    60 classes.
    """

    name = "pascal_context"
    layout = (_IMAGES, _LABELS, _SPLIT)
    images = f"the names in {_SPLIT}"
    classes = names_of("pascal_context")

    def _find(self) -> Iterable[Sample]:
        for name in _read_names(self.root / _SPLIT):
            image, labels = f"{_IMAGES}/{name}.jpg", f"{_LABELS}/{name}.png"
            yield Sample(name, self.root / image, self.root / labels)


class PascalContext59(PascalContext):
    """Pascal Context without the background: its pixels do not count."""

    name = "pascal_context_59"
    classes = PascalContext.classes[1:]

    def _meanings(self, sample: Sample) -> Sequence[int]:
        return (IGNORED, *range(len(self.classes)))


def _read_names(split: Path) -> list[str]:
    try:
        return split.read_text(encoding="utf-8").split()
    except OSError as error:
        raise refusal(DatasetError, f"{split}: cannot be read", error) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{split}: cannot be read as a list of names: {error}") from error
