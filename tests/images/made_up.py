"""Pixels for the tests of images."""

import numpy as np
import torch
from PIL import Image

RNG = np.random.default_rng(7)


def noise(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int) -> Image.Image:
    return Image.fromarray(noise(4, 5)).resize((width, height), Image.Resampling.BICUBIC)


def rows_of(image: torch.Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).numpy()
