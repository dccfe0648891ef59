"""Reductions called as a block calls them, taken apart into images again."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from mpm_deploy.models.reductions import Packed, Reduction
from mpm_deploy.models.segmenter import Segmenter
from tests.support.packed import pack, unpack


@dataclass(frozen=True)
class Image:
    """One image's rows, special ones in front.

    Args:
        tokens: ``(E + n, C)``.
        keys: ``(E + n, heads, D)``.
        patches: The token that each of N patches is in, ``(N,)``, counted from the first after the
            special ones.
    """

    tokens: Tensor
    keys: Tensor
    patches: Tensor

    def sizes(self, special_tokens: int) -> list[int]:
        """How many patches each token stands for."""
        count = len(self.tokens) - special_tokens
        return torch.bincount(self.patches, minlength=count).tolist()


@dataclass(frozen=True)
class Reduced:
    """What became of one image."""

    tokens: Tensor  # (E + n', C)
    patches: Tensor  # (N,)


def random_patches(random: np.random.Generator, tokens: int, patches: int) -> Tensor:
    """Every token stands for one patch at least."""
    others = random.integers(0, tokens, patches - tokens)
    return torch.from_numpy(random.permutation(np.concatenate([np.arange(tokens), others])))


def reduce_images(
    reduction: Reduction, images: Sequence[Image], special_tokens: int
) -> list[Reduced]:
    """All images in one call of ``after_attention``."""
    tokens, offsets = pack([image.tokens for image in images])
    keys, _ = pack([image.keys for image in images])
    firsts = offsets[:-1].long() + special_tokens
    rows = torch.stack([i.patches + first for i, first in zip(images, firsts, strict=True)])
    longest = max(len(image.tokens) for image in images)
    reduced = reduction.after_attention(
        Packed(tokens, offsets, longest, rows, special_tokens), keys
    )
    assert reduced.tokens.dtype == tokens.dtype
    assert reduced.offsets.dtype == torch.int32
    assert reduced.rows.dtype == torch.int64
    assert int(reduced.offsets.diff().max()) <= reduced.max_length
    firsts = reduced.offsets[:-1].long() + special_tokens
    pieces = zip(
        unpack(reduced.tokens, reduced.offsets), reduced.rows - firsts[:, None], strict=True
    )
    return [Reduced(*piece) for piece in pieces]


def check_alone(reduction: Reduction, images: Sequence[Image], special_tokens: int) -> None:
    """Each image by itself and all at once: the same to the bit."""
    together = reduce_images(reduction, images, special_tokens)
    for image, reduced in zip(images, together, strict=True):
        (alone,) = reduce_images(reduction, [image], special_tokens)
        assert torch.equal(alone.patches, reduced.patches)
        assert torch.equal(alone.tokens, reduced.tokens)


def blocky_images(count: int, size: tuple[int, int]) -> Tensor:
    """Images of 16 × 16 blocks, the left ones of which grow alike from image to image."""
    generator = torch.Generator().manual_seed(count)
    grid = (count, 3, size[0] // 16, size[1] // 16)
    coarse = torch.randint(0, 256, grid, generator=generator, dtype=torch.uint8)
    for index, image in enumerate(coarse):
        image[:, :, : index % 4 * 2] = 90
    return coarse.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)


def check_maps(merge_maps: Tensor) -> None:
    """Numbered from 0 without gaps, and later maps only join: ``(B, M, N)``."""
    for image in merge_maps:
        for merge_map in image:
            tokens = merge_map.unique()
            assert tokens.tolist() == list(range(len(tokens)))
        for before, after in pairwise(image):
            for token in before.unique():
                assert len(after[before == token].unique()) == 1


def check_independent_of_batch(model: Segmenter, images: Tensor) -> Tensor:
    """Each image by itself and all at once: the same maps and scores. Gives the maps."""
    with torch.inference_mode():
        scores, merge_maps = model(images)
        for index, image in enumerate(images.split(1)):
            alone, alone_maps = model(image)
            assert torch.equal(alone_maps[0], merge_maps[index])
            torch.testing.assert_close(alone[0], scores[index], atol=2e-5, rtol=0)
    check_maps(merge_maps)
    return merge_maps
