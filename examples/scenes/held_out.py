"""The held-out scenes as files: images/*.jpg with labels/*.png of the same base name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent


def held_out_scenes(folder: Path = HERE) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Each scene's image (H, W, 3) and labels (H, W), both uint8, in the order of their names."""
    for path in sorted((folder / "images").glob("*.jpg")):
        labels = folder / "labels" / f"{path.stem}.png"
        yield np.asarray(Image.open(path)), np.asarray(Image.open(labels))
