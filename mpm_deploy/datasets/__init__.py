"""Reads data sets on disk, one module per layout: where images and label maps lie, and what their
numbers mean; and counts how far label maps are right (`confusion`).

    DATASETS[name](root) ─▶ samples        each an image file and its label file
                         ─▶ labels(sample) ─▶ (height, width) classes, 255 where no pixel counts

A member of `families.DATASETS` is a `Dataset` with a name, classes, the folders it needs, and how
it finds its samples.
"""

from pathlib import Path

from mpm_deploy.datasets.base import Dataset, Sample
from mpm_deploy.datasets.label_files import IGNORED
from mpm_deploy.errors import DatasetError, InputError
from mpm_deploy.families import DATASETS

__all__ = ["DATASETS", "IGNORED", "Dataset", "Sample", "open_dataset"]


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
    member: type[Dataset] = DATASETS.find(name)
    if root is None:
        raise InputError(
            f"data set {name!r}: expected the folder it lies in", "--root DIR names it"
        )
    return member(root)


def _open_folder(folder: Path) -> Dataset:
    members: list[type[Dataset]] = list(DATASETS.values())
    fitting = [member for member in members if member.lies_in(folder)]
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
