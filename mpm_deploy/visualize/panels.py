"""Pictures side by side, each with a line that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mpm_deploy.errors import InputError

PAPER, INK = (252, 252, 251), (11, 11, 11)
_GAP, _TEXT = 10, 18  # pixels: between panels, and of the captions


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture, ``(height, width, 3)`` uint8, and what it shows."""

    picture: NDArray[np.uint8]
    caption: str


def panels(row: Sequence[Panel], width: int = 512) -> Image.Image:
    """Lay panels side by side, their captions above them.

    Args:
        row: Left to right; the pictures may be of any size.
        width: What each picture is resized to, in pixels; its aspect ratio is kept.

    Raises:
        InputError: No panel.
    """
    if not row:
        raise InputError("panels: expected at least one, got none")
    pictures = [_resized(panel.picture, width) for panel in row]
    font = ImageFont.load_default(_TEXT)
    top = 2 * _GAP + _TEXT
    size = (_GAP + (width + _GAP) * len(row), top + max(p.height for p in pictures) + _GAP)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (panel, picture) in enumerate(zip(row, pictures, strict=True)):
        left = _GAP + (width + _GAP) * index
        draw.text((left, top - _GAP // 2), panel.caption, INK, font, anchor="ls")
        sheet.paste(picture, (left, top))
    return sheet


def _resized(picture: NDArray[np.uint8], width: int) -> Image.Image:
    image = Image.fromarray(picture)
    if image.width == width:
        return image
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)
