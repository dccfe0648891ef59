"""Packed merges taken apart into images, and random batches to merge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mpm_deploy import mutual_pair_merge
from tests.models.reductions.algorithm1 import algorithm1
from tests.support.packed import DTYPES, Maker, pack, unpack


@dataclass(frozen=True)
class ImageMerge:
    """One image's part of a packed merge, its merge map counted from the image's first row."""

    tokens: Tensor
    merge_map: Tensor

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ImageMerge)
            and torch.equal(self.tokens, other.tokens)
            and torch.equal(self.merge_map, other.merge_map)
        )


def merge_images(images: Sequence[Tensor], special_tokens: int = 0) -> list[ImageMerge]:
    """Packs images `(N_b, C)`, merges them in one call, and takes the result apart again."""
    tokens, offsets = pack(images)
    merged, merge_map, merged_offsets = mutual_pair_merge(tokens, offsets, special_tokens)
    assert merged.dtype == tokens.dtype
    assert merge_map.dtype == torch.int64
    assert merged_offsets.dtype == torch.int32
    assert merged_offsets[-1] == len(merged)
    starts = merged_offsets[:-1].tolist()
    maps = [rows - start for rows, start in zip(unpack(merge_map, offsets), starts, strict=True)]
    return list(map(ImageMerge, unpack(merged, merged_offsets), maps))


def random_batches(
    maker: Maker, count: int, special_tokens: int, dtype: torch.dtype
) -> Iterator[list[Tensor]]:
    """Batches of one to six images of 1 to 200 image tokens, most of them below 50."""
    random = np.random.default_rng([special_tokens, DTYPES.index(dtype)])
    for _ in range(count):
        channels = int(random.integers(6, 48))
        highest = random.choice([8, 50, 200], size=random.integers(1, 7), p=[0.3, 0.4, 0.3])
        lengths = special_tokens + random.integers(1, highest + 1)
        yield [maker(random, int(length), channels).to(dtype) for length in lengths]


def check_image(image: Tensor, merge: ImageMerge, special_tokens: int) -> None:
    """Every row, and every id, as the slow version has them: the mean is rounded once."""
    expected = algorithm1(image.double().numpy(), special_tokens)
    assert merge.merge_map.tolist() == expected.merge_map
    assert torch.equal(merge.tokens, torch.from_numpy(expected.tokens).to(image.dtype))
