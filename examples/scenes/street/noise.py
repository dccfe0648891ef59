"""Makes a bank of fractal noise once, then cuts and samples it for every surface of every scene."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]
BANK = 1024  # side of a noise plane, pixels


def resize(plane: Plane, size: int) -> Plane:
    """Resizes a plane (h, w) smoothly to (size, size)."""
    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC))


def _fractal(seed: int, grids: tuple[int, ...], stretch: int = 1) -> Plane:
    """Makes zero-mean, unit-deviation noise with one octave per grid size; `stretch` widens it."""
    rng = np.random.default_rng(seed)
    total = np.zeros((BANK, BANK), np.float32)
    for octave, grid in enumerate(grids):
        plane = rng.standard_normal((grid, max(grid // stretch, 2))).astype(np.float32)
        total += resize(plane, BANK) * 0.75**octave
    return np.asarray((total - total.mean()) / total.std(), np.float32)


@lru_cache(maxsize=1)
def bank() -> dict[str, Plane]:
    """Returns noise planes (BANK, BANK) by name."""
    return {
        "cloud": _fractal(1, (5, 10, 20, 40, 80), stretch=2),
        "broad": _fractal(2, (6, 12, 24)),
        "plaster": _fractal(3, (16, 64, 512)),
        "brick": _fractal(4, (256, 512), stretch=4),
        "leaf": _fractal(5, (128, 256, 384)),
        "ground": _fractal(6, (32, 128, 512, 1024)),
        "fine": _fractal(7, (512, 1024)),
        "grain": np.random.default_rng(8).standard_normal((BANK, BANK)).astype(np.float32),
    }


def window(name: str, rng: np.random.Generator, size: int) -> Plane:
    """Cuts a (size, size) window out of a noise plane at a random place."""
    top, left = rng.integers(0, BANK - size, 2)
    return bank()[name][top : top + size, left : left + size]
