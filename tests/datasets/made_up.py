"""Small data sets in exactly the layouts of the public ones, with label maps of a test's choice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = [(64, 96), (37, 71), (50, 80), (20, 90), (96, 64)]  # height, width of each image
CLASSES = {
    "ade20k": 150,
    "cityscapes": 19,
    "pascal_context": 60,
    "pascal_context_59": 59,
    "folder": 7,
}

Labels = NDArray[np.integer[Any]]
Truth = Callable[[Path], Labels]  # of an image: (height, width), classes and 255
Truths = dict[str, Labels]  # by the samples' ids

_CITY_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
_CITY_VOID = [0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30]


def make(name: str, root: Path, truth: Truth | None = None) -> Truths:
    """Write a data set with an image of each size; gives what its label maps mean."""
    return _MAKERS[name](root, truth or _random_truth(CLASSES[name]))


def write_label_file(path: Path, numbers: Labels, mode: str = "L") -> None:
    """As one of Pillow's modes: ``"L"`` is gray, ``"P"`` indexed, ``"I;16"`` gray of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "I;16":
        Image.fromarray(numbers.astype(np.uint16)).save(path)
        return
    picture = Image.fromarray(numbers.astype(np.uint8))
    if mode == "P":
        picture.putpalette(list(range(256)) * 3)
    picture.save(path)


def _random_truth(classes: int) -> Truth:
    generator = np.random.default_rng(0)

    def truth(image: Path) -> Labels:
        with Image.open(image) as opened:
            width, height = opened.size
        coarse = generator.integers(0, classes, (5, 5))
        coarse[generator.random((5, 5)) < 0.2] = 255
        rows, columns = np.arange(height) * 5 // height, np.arange(width) * 5 // width
        return coarse[np.ix_(rows, columns)]

    return truth


def _write_images(paths: list[Path]) -> None:
    generator = np.random.default_rng(1)
    for path, (height, width) in zip(paths, SIZES, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)


def _shifted(truth: Labels) -> Labels:
    """0 does not count, and the classes begin at 1."""
    return np.where(truth == 255, 0, truth + 1)


def _make_ade20k(root: Path, truth: Truth) -> Truths:
    names = [f"ADE_val_{number:08}" for number in range(1, 6)]
    images = [root / "images" / "validation" / f"{name}.jpg" for name in names]
    _write_images(images)
    truths = {name: truth(image) for name, image in zip(names, images, strict=True)}
    for name, labels in truths.items():
        write_label_file(root / f"annotations/validation/{name}.png", _shifted(labels))
    return truths


def _make_cityscapes(root: Path, truth: Truth) -> Truths:
    """Three images of one city and two of another; the last was converted to train ids."""
    names = [f"frankfurt_00000{n}_000294" for n in range(3)]
    names += [f"munster_00000{n}_000019" for n in range(2)]
    cities = [name.split("_")[0] for name in names]
    images = [
        root / f"leftImg8bit/val/{city}/{name}_leftImg8bit.png"
        for city, name in zip(cities, names, strict=True)
    ]
    _write_images(images)
    truths = {name: truth(image) for name, image in zip(names, images, strict=True)}
    for city, (name, labels) in zip(cities, truths.items(), strict=True):
        begin = root / "gtFine" / "val" / city / name
        if name == names[-1]:
            write_label_file(Path(f"{begin}_gtFine_labelTrainIds.png"), labels)
        else:
            write_label_file(Path(f"{begin}_gtFine_labelIds.png"), _city_ids(labels))
    return truths


def _city_ids(truth: Labels) -> Labels:
    ids = np.array([*_CITY_IDS, *[0] * (256 - len(_CITY_IDS))])[truth]
    void = np.resize(_CITY_VOID, truth.shape)
    return np.where(truth == 255, void, ids)


def _make_pascal_context(root: Path, truth: Truth) -> Truths:
    return _write_pascal_context(root, truth, lambda labels: labels)


def _make_pascal_context_59(root: Path, truth: Truth) -> Truths:
    return _write_pascal_context(root, truth, _shifted)


def _write_pascal_context(root: Path, truth: Truth, store: Callable[[Labels], Labels]) -> Truths:
    voc = root / "VOCdevkit" / "VOC2010"
    names = [f"2008_{number:06}" for number in (2, 3, 7, 15, 19)]
    images = [voc / "JPEGImages" / f"{name}.jpg" for name in names]
    _write_images(images)
    truths = {name: truth(image) for name, image in zip(names, images, strict=True)}
    for name, labels in truths.items():
        write_label_file(voc / f"SegmentationClassContext/{name}.png", store(labels), "P")
    Image.new("RGB", (9, 9)).save(voc / "JPEGImages" / "2007_000001.jpg")  # not of the split
    split = voc / "ImageSets" / "SegmentationContext" / "val.txt"
    split.parent.mkdir(parents=True)
    split.write_text("\n".join(names) + "\n")
    return truths


def _make_folder(root: Path, truth: Truth) -> Truths:
    names = [f"photo_{number:04}.{'png' if number % 2 else 'jpg'}" for number in range(5)]
    images = [root / "images" / name for name in names]
    _write_images(images)
    truths = {name: truth(image) for name, image in zip(names, images, strict=True)}
    for name, labels in truths.items():
        write_label_file(root / "labels" / f"{Path(name).stem}.png", labels, "P")
    classes = [f"class {index}" for index in range(CLASSES["folder"])]
    (root / "classes.txt").write_text("\n".join(classes) + "\n")
    return truths


_MAKERS = {
    "ade20k": _make_ade20k,
    "cityscapes": _make_cityscapes,
    "pascal_context": _make_pascal_context,
    "pascal_context_59": _make_pascal_context_59,
    "folder": _make_folder,
}
