"""Reads a data set of your own: images, label maps of the same names, and a list of classes.

    root/
    ├── classes.txt       a class a line; the first is number 0
    ├── images/a.jpg      JPEG or PNG
    └── labels/a.png      gray or indexed; 255 where no pixel counts

A label is the number of its class.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from mpm_deploy.datasets.base import Dataset, Sample, files_in
from mpm_deploy.datasets.label_files import IGNORED
from mpm_deploy.errors import DatasetError
from mpm_deploy.support.refusal import refusal

_SUFFIXES = (".jpg", ".jpeg", ".png")
_CLASSES = "classes.txt"


class Folder(Dataset):
    """A folder with ``images/NAME.jpg`` and ``labels/NAME.png``; a label is the number
    of its class.

    Raises:
        DatasetError: Its classes cannot be read, or there are fewer than 2 or more than 255.
    """

    name = "folder"
    layout: ClassVar[tuple[str, ...]] = ("images", "labels", _CLASSES)
    images = "images/*.jpg, *.jpeg, *.png"

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self.classes = _read_classes(self.root / _CLASSES)

    def _find(self) -> Iterable[Sample]:
        for image in files_in(self.root, "images/*"):
            if image.suffix.lower() in _SUFFIXES:
                yield Sample(image.name, image, self.root / "labels" / f"{image.stem}.png")


def _read_classes(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise refusal(DatasetError, f"{path}: cannot be read", error) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: cannot be read as text in UTF-8: {error}") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not 2 <= len(names) <= IGNORED:
        raise DatasetError(
            f"{path}: expected 2 to {IGNORED} classes, got {len(names)}", "write a class a line"
        )
    return names
