"""Reads ADE20K with 150 classes, as the scene parsing challenge of 2016 hands it out.

    ADEChallengeData2016/                          the root
    ├── images/validation/ADE_val_00000001.jpg
    └── annotations/validation/ADE_val_00000001.png

In the label maps 0 is "other": it does not count, and the classes begin at 1.
"""

from collections.abc import Iterable, Sequence

from mpm_deploy.datasets.base import Dataset, Sample, files_in
from mpm_deploy.datasets.label_files import IGNORED
from mpm_deploy.models.weights.classes import names_of


class Ade20k(Dataset):
    """ADE20K: the 2000 images of the validation split."""

    name = "ade20k"
    layout = ("images/validation", "annotations/validation")
    images = "images/validation/*.jpg"
    classes = names_of("ade20k")

    def _find(self) -> Iterable[Sample]:
        folder = self.root / "annotations" / "validation"
        for image in files_in(self.root, self.images):
            yield Sample(image.stem, image, folder / f"{image.stem}.png")

    def _meanings(self, sample: Sample) -> Sequence[int]:
        return (IGNORED, *range(len(self.classes)))
