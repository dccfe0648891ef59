"""Reads true label maps from a folder: NAME.png for the image NAME.jpg."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.errors import DatasetError
from mpm_deploy.measure.accuracy.datasets import IGNORED
from mpm_deploy.measure.accuracy.datasets.base import read_numbers

Labels = NDArray[np.integer[Any]]


class TrueLabels:
    """The true label maps of some images; numbers are the artifact's classes, and 255
    does not count.

    Args:
        folder: Where they lie.
        images: The images whose label maps are asked for.
        classes: The number of classes that the artifact has.

    Raises:
        DatasetError: An image without a label map.
    """

    def __init__(self, folder: Path, images: Sequence[Path], classes: int) -> None:
        self._files = {image: folder / f"{image.stem}.png" for image in images}
        self._classes = classes
        missing = [file for file in self._files.values() if not file.is_file()]
        if missing:
            raise DatasetError(
                f"{missing[0]}: no such file, and so for {len(missing)} of {len(images)} images",
                "--labels names a folder with a label map NAME.png for every image NAME.jpg",
            )

    def of(self, image: Path, size: tuple[int, ...]) -> Labels:
        """Read the true class of each pixel of an image, ``(height, width)``.

        Raises:
            DatasetError: The file is no label map, or not of this size, or holds other numbers.
        """
        file = self._files[image]
        labels = read_numbers(file)
        if labels.shape != size:
            raise DatasetError(
                f"{file}: expected the size of its image, {_shown(size)}, "
                f"got {_shown(labels.shape)}",
                "this may be the label map of another image",
            )
        foreign = labels[(labels >= self._classes) & (labels != IGNORED)]
        if foreign.size:
            raise DatasetError(
                f"{file}: expected labels 0 to {self._classes - 1} or {IGNORED}, got {foreign[0]}",
                "number the classes as the artifact does: mpm-deploy inspect ARTIFACT --json",
            )
        return labels


def _shown(size: tuple[int, ...]) -> str:
    return " × ".join(map(str, size))
