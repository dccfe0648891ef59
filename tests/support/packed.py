"""Packed batches for tests: images made row by row, then laid end to end.

images     [ (3, C) ]  [ (0, C) ]  [ (2, C) ]
tokens     a0 a1 a2 | c0 c1          (5, C)
offsets    0  3  3  5                (B+1,) int32
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

DTYPES = [torch.float32, torch.bfloat16, torch.float64]
SPECIAL_TOKENS = [0, 1, 2, 5]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_special_tokens = pytest.mark.parametrize("special_tokens", SPECIAL_TOKENS)

Maker = Callable[[np.random.Generator, int, int], Tensor]  # (random, N, C) -> (N, C) float64


def pack(images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Lays images `(N_b, C)` end to end: tokens `(T, C)` and offsets `(B+1,)` int32."""
    return torch.cat(list(images)), offsets_of([len(image) for image in images])


def offsets_of(lengths: Sequence[int]) -> Tensor:
    """The offsets `(B+1,)` int32 of images with these many rows."""
    return torch.tensor([0, *np.cumsum(lengths, dtype=np.int64)], dtype=torch.int32)


def unpack(rows: Tensor, offsets: Tensor) -> list[Tensor]:
    """The rows of each image."""
    bounds = offsets.tolist()
    return [rows[start:stop] for start, stop in itertools.pairwise(bounds)]


def gaussian(random: np.random.Generator, count: int, channels: int) -> Tensor:
    """Directions with nothing in common."""
    return torch.from_numpy(random.standard_normal((count, channels)))


def drifting(random: np.random.Generator, count: int, channels: int) -> Tensor:
    """A random walk about a common mean: neighbors are alike, as patches of an image are."""
    steps = random.standard_normal((count, channels))
    return torch.from_numpy(np.cumsum(steps, axis=0) + 4 * random.standard_normal(channels))


def twins(random: np.random.Generator, count: int, channels: int) -> Tensor:
    """Every direction once or twice, the second time at another power-of-two length."""
    rows = random.standard_normal((count, channels))
    order = random.permutation(count)
    for first, second in zip(order[::3], order[1::3], strict=False):
        rows[second] = rows[first] * 2.0 ** random.integers(-3, 4)
    return torch.from_numpy(rows)


def exact(random: np.random.Generator, count: int, channels: int) -> Tensor:
    """Rows whose cosines are exact in float32 in any order of summation, so full of real ties.

    A row holds 1, 4 or 16 entries of plus or minus one power of two: its norm is a power of two.
    """
    rows = np.zeros((count, channels))
    sizes = [size for size in (1, 4, 16) if size <= channels]
    for row in rows:
        places = random.choice(channels, size=random.choice(sizes), replace=False)
        row[places] = random.choice([-1.0, 1.0], len(places)) * 2.0 ** random.integers(-3, 4)
    return torch.from_numpy(rows)


def exact_with_copies(random: np.random.Generator, count: int, channels: int) -> Tensor:
    """Few exact rows, many times over, a row of zeros among them."""
    pool = exact(random, max(1, count // 4), channels)
    pool[0] = 0
    return pool[torch.from_numpy(random.integers(0, len(pool), count))]
