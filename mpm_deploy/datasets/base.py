"""Defines what every data set has: images, a label map for each, and what the numbers
in it mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.datasets.label_files import (
    IGNORED,
    Color,
    check_numbers,
    read_numbers,
)
from mpm_deploy.errors import DatasetError


@dataclass(frozen=True)
class Sample:
    """An image and its label map; ``id`` names it within its data set."""

    id: str
    image: Path
    labels: Path


class Dataset(ABC):
    """The samples under a root folder; the base class of every layout.

    Each subclass says what the data set is called and how it is laid out.

    Args:
        root: The folder that the layout begins in.

    Attributes:
        name: The name that `DATASETS` and the command line use.
        classes: A name for each class.
        layout: What must lie under the root.
        images: Where the images lie, as a pattern below the root.
        root: The folder.
        samples: The samples, in an order that is the same on every machine.

    Raises:
        DatasetError: A folder of the layout is missing, there are no images, one of them or a
            label map is missing, or two samples are not told apart.
    """

    name: ClassVar[str]
    layout: ClassVar[tuple[str, ...]]
    images: ClassVar[str]
    classes: tuple[str, ...] = ()

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._check_layout()
        self.samples: tuple[Sample, ...] = tuple(self._find())
        if not self.samples:
            raise DatasetError(
                f"{self.root}: no image of {self.name} in it: looked for {self.images}",
                "copy the data set again, or name another --root",
            )
        self._check_files()
        check_told_apart(self.samples)

    @classmethod
    def lies_in(cls, root: Path) -> bool:
        """Tell whether everything that the layout needs exists under this folder."""
        return all((root / place).exists() for place in cls.layout)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def labels(self, sample: Sample, palette: Sequence[Color] = ()) -> NDArray[np.uint8]:
        """Return the class of every pixel of a sample.

        Args:
            sample: One of `samples`.
            palette: The colors of an artifact's classes, to know a file that is painted with them.

        Returns:
            ``(height, width)`` uint8: classes from 0 up, and `IGNORED`.

        Raises:
            DatasetError: The file is no label map, or holds a number that means nothing here.
        """
        numbers, meanings = read_numbers(sample.labels, palette), self._meanings(sample)
        check_numbers(
            sample.labels,
            numbers,
            len(meanings),
            f" in a label map of {self.name}",
            "these may be label maps of another data set, or of its raw, unconverted form",
        )
        table = np.full(IGNORED + 1, IGNORED, np.uint8)
        table[: len(meanings)] = meanings
        classes: NDArray[np.uint8] = table[numbers]
        return classes

    @abstractmethod
    def _find(self) -> Iterable[Sample]:
        """Find the samples below the root; the layout has been checked already."""

    def _meanings(self, sample: Sample) -> Sequence[int]:
        """Return the class, or `IGNORED`, that each number in a label file stands for,
        from 0 up.
        """
        return range(len(self.classes))

    def _check_layout(self) -> None:
        missing = [place for place in self.layout if not (self.root / place).exists()]
        if missing:
            raise DatasetError(
                f"{self.root}: not the root of {self.name}: looked for {', '.join(self.layout)} "
                f"in it, and there is no {', '.join(missing)}",
                self._likely_root() or "--root names the folder that these lie in",
            )

    def _likely_root(self) -> str | None:
        """Return a hint where the right root lies above or below the folder that was named."""
        below = sorted(self.root.iterdir()) if self.root.is_dir() else []
        for folder in (*self.root.absolute().parents[:3], *below):
            if self.lies_in(folder):
                return f"did you mean --root {folder}?"
        return None

    def _check_files(self) -> None:
        for kind, paths in (
            ("images", [sample.image for sample in self.samples]),
            ("label maps", [sample.labels for sample in self.samples]),
        ):
            missing = [path for path in paths if not path.is_file()]
            if missing:
                raise DatasetError(
                    f"{missing[0]}: no such file, and so for {len(missing)} of the "
                    f"{len(paths)} {kind} of {self.name}",
                    _other_suffix(missing[0])
                    or "copy the data set again: its accuracy counts every image",
                )


def check_told_apart(samples: Sequence[Sample]) -> None:
    """Check that no image, no label map and no id belongs to two samples.

    Raises:
        DatasetError: One does, and its pixels would count twice.
    """
    for what, kind in {"image": "the image", "labels": "the label map", "id": "the id"}.items():
        met: dict[object, Sample] = {}
        for sample in samples:
            first = met.setdefault(getattr(sample, what), sample)
            if first is not sample:
                raise DatasetError(
                    f"{getattr(sample, what)}: expected {kind} of one sample, got it for two: "
                    f"{first.image} and {sample.image}",
                    "an image counts once, with a label map of its own: rename one of them "
                    "together with its label map, or take it away",
                )


def files_in(root: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match a pattern, sorted by the bytes of their names.

    As in `find_images`, those whose names begin with a dot are left out.
    """
    return sorted((f for f in root.glob(pattern) if not f.name.startswith(".")), key=bytes)


def _other_suffix(missing: Path) -> str | None:
    """Return a hint where a file of that name is there with another suffix."""
    named_alike = missing.parent.glob(f"{escape(missing.stem)}.*")
    others = sorted(other for other in named_alike if other.suffix != missing.suffix)
    return f"{others[0].name} is there: expected a {missing.suffix} file" if others else None
