"""Reads Cityscapes with its 19 classes for training, in the fine annotations.

    root/
    ├── leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png
    └── gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png

Label maps hold the 34 ids of all labels, of which 19 are classes. Where only the converted
``_gtFine_labelTrainIds.png`` is there, it is read as it is.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mpm_deploy.datasets.base import Dataset, Sample, files_in
from mpm_deploy.datasets.label_files import IGNORED
from mpm_deploy.models.weights.classes import names_of

_IMAGE = "_leftImg8bit.png"
_IDS, _TRAIN_IDS = "_gtFine_labelIds.png", "_gtFine_labelTrainIds.png"

# The id of each class, as cityscapesScripts lists them.
_ID_OF_CLASS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_CLASS_OF_ID = {id: index for index, id in enumerate(_ID_OF_CLASS)}


class Cityscapes(Dataset):
    """Cityscapes: the 500 images of the validation cities."""

    name = "cityscapes"
    layout = ("leftImg8bit/val", "gtFine/val")
    images = f"leftImg8bit/val/*/*{_IMAGE}"
    classes = names_of("cityscapes")

    def _find(self) -> Iterable[Sample]:
        for image in files_in(self.root, self.images):
            name = image.name.removesuffix(_IMAGE)
            folder = self.root / "gtFine" / "val" / image.parent.name
            yield Sample(name, image, _labels_of(folder, name))

    def _meanings(self, sample: Sample) -> Sequence[int]:
        if sample.labels.name.endswith(_TRAIN_IDS):
            return range(len(self.classes))
        return [_CLASS_OF_ID.get(id, IGNORED) for id in range(max(_CLASS_OF_ID) + 1)]


def _labels_of(folder: Path, name: str) -> Path:
    """Return the label file of an image: the converted one only where the original is missing."""
    original, converted = folder / f"{name}{_IDS}", folder / f"{name}{_TRAIN_IDS}"
    return converted if converted.is_file() and not original.is_file() else original
