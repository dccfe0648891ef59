"""Give classes their names and colors: those of a known data set, or numbers."""

import colorsys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

Classes = tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]

_DATA = Path(__file__).with_name("classes.toml")


def classes_of(count: int) -> Classes:
    """Return names and palette of the data set with ``count`` classes, or numbers if none has.

    150 are ADE20K's, 19 Cityscapes', 60 Pascal Context's, 21 PASCAL VOC 2012's, and 59 or 20 those
    of the last two without background.
    """
    for data_set in _known().values():
        left_out = len(data_set["names"]) - count
        if left_out == 0 or (left_out == 1 and data_set["names"][0] == "background"):
            palette = ((r, g, b) for r, g, b in data_set["palette"][left_out:])
            return tuple(data_set["names"][left_out:]), tuple(palette)
    return numbered_classes(count)


def classes_named(names: Iterable[str]) -> Classes:
    """Return these names, with the palette of the data set that has most of them, or with hues."""
    given = tuple(names)
    known, palette = classes_of(len(given))
    same = sum(name.lower() == other for name, other in zip(given, known, strict=True))
    return given, palette if 2 * same > len(given) else numbered_classes(len(given))[1]


def names_of(data_set: str) -> tuple[str, ...]:
    """Return the names of the classes of a data set, as of ``ade20k`` or ``cityscapes``."""
    return tuple(_known()[data_set]["names"])


def numbered_classes(count: int) -> Classes:
    """Name classes ``class 0``, ``class 1`` and so on, each with a hue of its own."""
    names = tuple(f"class {number}" for number in range(count))
    return names, tuple(_hue(number / count) for number in range(count))


@cache
def _known() -> dict[str, Any]:
    return tomllib.loads(_DATA.read_text(encoding="utf-8"))


def _hue(hue: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.6, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)
