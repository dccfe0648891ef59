"""Data sets on disk, one member a layout: where images and label maps lie, and what those mean.

    DATASETS[name](root) ─▶ samples        each an image file and its label file
                         ─▶ labels(sample) ─▶ (height, width) classes, 255 where no pixel counts

A member is a `Dataset` with a name, classes, the folders it needs, and how it finds its samples.
"""

import difflib
from pathlib import Path

from mpm_deploy.datasets.ade20k import Ade20k
from mpm_deploy.datasets.base import IGNORED, Dataset, Sample
from mpm_deploy.datasets.cityscapes import Cityscapes
from mpm_deploy.datasets.folder import Folder
from mpm_deploy.datasets.pascal_context import PascalContext, PascalContext59
from mpm_deploy.datasets.scenes import Scenes
from mpm_deploy.errors import InputError

__all__ = ["DATASETS", "IGNORED", "Dataset", "Sample", "open_dataset"]

DATASETS: dict[str, type[Dataset]] = {
    member.name: member
    for member in (Ade20k, Cityscapes, PascalContext, PascalContext59, Scenes, Folder)
}


def open_dataset(name: str, root: str | Path) -> Dataset:
    """Find the samples of a data set.

    Args:
        name: One of `DATASETS`.
        root: The folder that its layout begins in.

    Raises:
        InputError: No such name.
        DatasetError: The folder does not hold that data set, or not all of it.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        raise InputError(
            f"data set {name!r}: expected one of {', '.join(DATASETS)}",
            f"did you mean {near[0]!r}?"
            if near
            else "docs/evaluation.md says how each lies on disk",
        )
    return DATASETS[name](root)
