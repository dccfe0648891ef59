"""Write outputs as files, one each an image.

label map     NAME.png, whose palette is the classes' colors
class scores  NAME.npy beside it
"""

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mpm_deploy.errors import InputError
from mpm_deploy.support.files import written_atomically

Color = tuple[int, int, int]


def label_map_names(images: Sequence[Path], folders: Sequence[Path] | None = None) -> list[str]:
    """Choose the file name of each image's label map.

    It is the image's with ``.png`` in place of its suffix; images that share a stem keep their
    whole names: ``a.jpg, a.png, b.jpg`` give ``a.jpg.png, a.png.png, b.png``.

    Args:
        images: The images.
        folders: The folder that each label map goes to, below that of all; None is none.

    Raises:
        InputError: Two images would still write the same file, as ``x/a.jpg`` and ``y/a.jpg``.
    """
    placed = list(zip(images, folders or [Path()] * len(images), strict=True))
    stems = Counter(folder / image.stem for image, folder in placed)
    names = [
        str(folder / f"{image.stem if stems[folder / image.stem] == 1 else image.name}.png")
        for image, folder in placed
    ]
    for name, count in Counter(names).items():
        if count > 1:
            same = [str(image) for image, other in zip(images, names, strict=True) if other == name]
            raise InputError(
                f"{' and '.join(same)}: expected names that differ, got label map {name} for each",
                "run them apart, into different folders",
            )
    return names


def write_label_map(path: Path, labels: NDArray[np.integer], palette: Sequence[Color]) -> None:
    """Write a label map; the file appears whole or not at all.

    Args:
        path: A ``.png``.
        labels: ``(height, width)``, class indices.
        palette: Red, green, blue of each class. Up to 256 classes make an 8-bit palette PNG, more a
            16-bit gray one.

    Raises:
        InputError: The folder does not exist or cannot be written.
    """
    with written_atomically(path) as temporary:
        temporary.write_bytes(encode_label_map(labels, palette))


def encode_label_map(labels: NDArray[np.integer], palette: Sequence[Color]) -> bytes:
    """Return the bytes of the PNG that `write_label_map` writes."""
    content = io.BytesIO()
    _as_picture(labels, palette).save(content, "png")
    return content.getvalue()


def write_scores(path: Path, scores: NDArray[np.float32]) -> None:
    """Write class scores in NumPy's format 1.0; the file appears whole or not at all.

    Args:
        path: A ``.npy``.
        scores: ``(K, rows, columns)`` float32.

    Raises:
        InputError: The folder does not exist or cannot be written.
    """
    with written_atomically(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array(file, scores, version=(1, 0), allow_pickle=False)


def _as_picture(labels: NDArray[np.integer], palette: Sequence[Color]) -> Image.Image:
    if len(palette) > 256:
        return Image.fromarray(labels.astype(np.uint16))
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette([channel for color in palette for channel in color])
    return picture
