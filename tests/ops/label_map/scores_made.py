"""Scores to label, and what their label maps are in exact arithmetic."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Array = NDArray[np.float64]
Maker = Callable[..., Tensor]  # (B, K, h, w) -> scores of that shape

CLASSES = (1, 2, 19, 60, 150, 300)
SEEDS = 12


def interpolation(small: int, large: int) -> Array:
    """(large, small): the weights of each coarse sample at each fine one, pixel centres aligned.

    coarse  |   0   |   1   |        a fine centre between 0 and 1 takes from both,
    fine    | 0 | 1 | 2 | 3 |        one beyond the outer centres takes the outer sample
    """
    weights = np.zeros((large, small))
    for i in range(large):
        position = min(max((i + 0.5) * small / large - 0.5, 0.0), small - 1.0)
        low = math.floor(position)
        high = min(low + 1, small - 1)
        weights[i, low] += 1 - (position - low)
        weights[i, high] += position - low
    return weights


def upsampled(scores: Tensor, size: tuple[int, int]) -> Array:
    """(B, K, h, w) to (B, K, H, W)."""
    _, _, height, width = scores.shape
    rows = interpolation(height, size[0]) @ scores.double().numpy()
    return rows @ interpolation(width, size[1]).T


def rounding_bound(scores: Tensor) -> Tensor:
    """How far apart two classes may be at a pixel, exactly, of which either could win by rounding.

    With u = 2^-24 (half a float32 step), M the largest magnitude among an image's scores, and grid
    (h, w):

    - a position is rounded in the ratio h / height, its product with the pixel, and the difference
      from that: at most 3 u h. A score changes by at most 2 M from one sample to the next, so
      this moves it by 6 u h M, and in the other direction by 6 u w M;
    - each direction rounds a weight, a product and a sum: 6 u M for both.

    So by either way a score is off by at most E = 6 (h + w + 1) u M. A class that wins is exactly
    no more than 2 E below its rival. Where each of two classes wins by one way, they are within
    2 E of each other.

    Returns:
        2 E for each image, ``(B,)`` float64, and some steps of the least float32 there is.
    """
    height, width = scores.shape[2:]
    largest = scores.double().abs().amax(dim=(1, 2, 3))
    return 12 * (height + width + 1) * 2.0**-24 * largest + 24 * 2.0**-149


def random_scores(*shape: int) -> Tensor:
    """Every class may win anywhere: the worst case for a search that skips classes."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def smooth_scores(*shape: int) -> Tensor:
    """Scores as a model gives them: few classes stand out, over wide areas."""
    batch, classes, height, width = shape
    coarse = 4 * random_scores(batch, classes, -(-height // 4), -(-width // 4))
    return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, :height, :width]


def model_scores(*shape: int) -> Tensor:
    """Smoother still: classes of uneven strength rise and fall over several samples."""
    batch, classes, height, width = shape
    strength = 4 * torch.rand(classes, 1, 1, generator=torch.Generator().manual_seed(classes)) ** 2
    coarse = strength * random_scores(batch, classes, -(-height // 4), -(-width // 4))
    return functional.interpolate(coarse, size=(height, width), mode="bicubic")


def tied_scores(*shape: int) -> Tensor:
    """Few values, both zeros among them."""
    generator = torch.Generator().manual_seed(sum(shape))
    scores = torch.randint(-1, 2, shape, generator=generator).float()
    return torch.where(random_scores(*shape) < 0, -scores, scores)


def constant_scores(*shape: int) -> Tensor:
    return torch.full(shape, -1.7)


def huge_scores(*shape: int) -> Tensor:
    return random_scores(*shape).clamp(-3.9, 3.9) * 2.0**125


def denormal_scores(*shape: int) -> Tensor:
    """Below the least normal float32, where rounding is coarse."""
    return random_scores(*shape) * 2.0**-140


def offset_scores(*shape: int) -> Tensor:
    """Far from zero: a few float32 steps apart, so that many an interpolated value is equal."""
    return 1000 + random_scores(*shape) * 2.0**-12


KINDS = (
    random_scores,
    smooth_scores,
    model_scores,
    tied_scores,
    constant_scores,
    huge_scores,
    denormal_scores,
    offset_scores,
)


def varied_scores() -> Iterator[tuple[Tensor, tuple[int, int]]]:
    """576 times scores ``(B, K, h, w)`` and a size, up and down, sides of one sample included."""
    generator = np.random.default_rng(0)
    for make in KINDS:
        for classes in CLASSES:
            for _ in range(SEEDS):
                batch = int(generator.integers(1, 3))
                down, across = (int(side) for side in generator.integers(1, 13, 2))
                height, width = (int(side) for side in generator.integers(1, 72, 2))
                yield make(batch, classes, down, across), (height, width)
