"""Reads true label maps from a folder: NAME.png for the image NAME.jpg."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.datasets import Sample
from mpm_deploy.datasets.base import check_told_apart
from mpm_deploy.datasets.label_files import (
    Color,
    check_numbers,
    check_size,
    read_numbers,
)
from mpm_deploy.errors import DatasetError

Labels = NDArray[np.integer[Any]]


class TrueLabels:
    """The true label maps of some images; numbers are the artifact's classes, and 255
    does not count.

    Args:
        folder: Where they lie.
        images: The images whose label maps are asked for.
        palette: The colors of the artifact's classes.

    Raises:
        DatasetError: An image without a label map of its own.
    """

    def __init__(self, folder: Path, images: Sequence[Path], palette: Sequence[Color]) -> None:
        self._files = {image: folder / f"{image.stem}.png" for image in images}
        self._palette = palette
        check_told_apart([Sample(str(image), image, file) for image, file in self._files.items()])
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
        labels = read_numbers(file, self._palette)
        check_size(file, labels.shape, image, size)
        check_numbers(
            file,
            labels,
            len(self._palette),
            "",
            "number the classes as the artifact does: mpm-deploy inspect ARTIFACT --json",
        )
        return labels
