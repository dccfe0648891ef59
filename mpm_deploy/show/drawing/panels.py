"""Lays pictures side by side, each with a caption that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mpm_deploy.errors import InputError

PAPER, INK = (252, 252, 251), (11, 11, 11)
_GAP, _TEXT = 10, 18  # pixels: between panels, and of the captions
_LINE = _GAP + _TEXT
_SWATCH = 14  # pixels, the side of a key's square


@dataclass(frozen=True)
class Key:
    """A color of a picture, and what it means."""

    color: tuple[int, int, int]
    text: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture, ``(height, width, 3)`` uint8, and the caption that says what it shows.

    ``keys`` stand on a line of their own, each after a square of its color.
    """

    picture: NDArray[np.uint8]
    caption: str
    keys: tuple[Key, ...] = ()

    @property
    def words(self) -> str:
        """The caption and the keys as one text."""
        keys = ", ".join(key.text for key in self.keys)
        return f"{self.caption}: {keys}" if keys else self.caption


def panels(row: Sequence[Panel], width: int = 512) -> Image.Image:
    """Lay panels side by side, their captions above them.

    Args:
        row: Left to right; the pictures may be of any size.
        width: The width that each picture is resized to, in pixels; its aspect ratio is kept.

    Raises:
        InputError: No panel.
    """
    return sheet([row], width)


def sheet(rows: Sequence[Sequence[Panel]], width: int = 512) -> Image.Image:
    """Lay rows of panels below one another, in columns of one width.

    Args:
        rows: Top to bottom, as `panels` takes each.
        width: The width of a column, in pixels.

    Raises:
        InputError: No panel.
    """
    if not any(rows):
        raise InputError("panels: expected at least one, got none")
    drawn = [_row(row, width) for row in rows]
    size = (max(row.width for row in drawn), sum(row.height for row in drawn) + _GAP)
    whole, top = Image.new("RGB", size, PAPER), 0
    for row in drawn:
        whole.paste(row, (0, top))
        top += row.height
    return whole


def _row(row: Sequence[Panel], width: int) -> Image.Image:
    pictures = [_resized(panel.picture, width) for panel in row]
    top = _GAP + _LINE * (2 if any(panel.keys for panel in row) else 1)
    size = (_GAP + (width + _GAP) * len(row), top + max((p.height for p in pictures), default=0))
    whole = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(whole)
    for index, (panel, picture) in enumerate(zip(row, pictures, strict=True)):
        left = _GAP + (width + _GAP) * index
        _write(draw, panel, left, top - _GAP // 2)
        whole.paste(picture, (left, top))
    return whole


def _write(draw: ImageDraw.ImageDraw, panel: Panel, left: int, line: int) -> None:
    """Write a panel's keys on a line, and its caption on that line or the one above."""
    font = ImageFont.load_default(_TEXT)
    above = line - _LINE if panel.keys else line
    draw.text((left, above), panel.caption, INK, font, anchor="ls")
    for key in panel.keys:
        draw.rectangle((left, line - _SWATCH, left + _SWATCH, line), key.color)
        left += _SWATCH + _GAP // 2
        draw.text((left, line), key.text, INK, font, anchor="ls")
        left += round(draw.textlength(key.text, font)) + 2 * _GAP


def _resized(picture: NDArray[np.uint8], width: int) -> Image.Image:
    image = Image.fromarray(picture)
    if image.width == width:
        return image
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)
