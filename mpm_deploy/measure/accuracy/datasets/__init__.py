"""Reads data sets on disk, one module per layout: where images and label maps lie, and what their
numbers mean.

    DATASETS[name](root) ─▶ samples        each an image file and its label file
                         ─▶ labels(sample) ─▶ (height, width) classes, 255 where no pixel counts

A member is a `Dataset` with a name, classes, the folders it needs, and how it finds its samples.
"""

import difflib
from pathlib import Path

from mpm_deploy.errors import DatasetError, InputError
from mpm_deploy.measure.accuracy.datasets.ade20k import Ade20k
from mpm_deploy.measure.accuracy.datasets.base import IGNORED, Dataset, Sample
from mpm_deploy.measure.accuracy.datasets.cityscapes import Cityscapes
from mpm_deploy.measure.accuracy.datasets.folder import Folder
from mpm_deploy.measure.accuracy.datasets.pascal_context import PascalContext, PascalContext59

__all__ = ["DATASETS", "IGNORED", "Dataset", "Sample", "open_dataset"]

DATASETS: dict[str, type[Dataset]] = {
    member.name: member for member in (Ade20k, Cityscapes, PascalContext, PascalContext59, Folder)
}


def open_dataset(name: str, root: str | Path | None = None) -> Dataset:
    """Open a data set and find its samples.

    Args:
        name: One of `DATASETS`; or, without ``root``, a folder, whose layout tells which it is.
        root: The folder that its layout begins in.

    Raises:
        InputError: No such name, or nothing to say where it is.
        DatasetError: The folder does not hold that data set, or not all of it.
    """
    if root is None and name not in DATASETS:
        return _open_folder(Path(name))
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        raise InputError(
            f"data set {name!r}: expected one of {', '.join(DATASETS)}",
            f"did you mean {near[0]!r}?"
            if near
            else "docs/formats/evaluation.md says how each lies on disk",
        )
    if root is None:
        raise InputError(
            f"data set {name!r}: expected the folder it lies in", "--root DIR names it"
        )
    return DATASETS[name](root)


def _open_folder(folder: Path) -> Dataset:
    fitting = [member for member in DATASETS.values() if member.lies_in(folder)]
    if len(fitting) == 1:
        return fitting[0](folder)
    if fitting:
        names = " or ".join(member.name for member in fitting)
        raise DatasetError(f"{folder}: may be {names}", f"say which, and --root {folder}")
    if not folder.is_dir():
        raise DatasetError(
            f"{folder}: neither a data set's name nor a folder",
            f"names are {', '.join(DATASETS)}, each with --root DIR",
        )
    raise DatasetError(
        f"{folder}: no layout of {', '.join(DATASETS)} in it",
        "your own data: images/NAME.jpg, labels/NAME.png, and classes.txt with a class a line",
    )
