"""Merge tokens by ALGM, without training.

The paper is Norouzi et al., "ALGM: Adaptive Local-then-Global Token Merging for Efficient Semantic
Segmentation with Plain Vision Transformers", CVPR 2024, section 3.

first block     2 × 2 windows of patches that are alike become one token each, by a threshold
second block    tokens merge across the image along the better edges of a bipartite matching

Both merges stand between attention and MLP and compare what attention gave. Where paper and
authors' program differ, it is as the program has it: the deviation is divided by the number of the
layer, and a head decodes merged tokens unweighted. But how many tokens merge is each image's own
affair, where the program takes the least of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.errors import ModelError
from mpm_deploy.models.reductions.base import ImageReduction, Method, Reduction
from mpm_deploy.models.reductions.bipartite import best_matches, bipartite_map, in_order, ranks
from mpm_deploy.support.family import Words, require


@dataclass(frozen=True)
class Algm(Method):
    """Merges at two blocks; the paper's are the first and the fifth, ViT-L's the first and seventh.

    Args:
        threshold: Mean cosine from which on a window is one token; the paper's are 0.90 for ViT-T,
            0.88 for S, 0.94 for B and 0.95 for L.
        weighted_decoding: Whether the head counts a merged token as often as its patches, which is
            not the authors', and better where the model was not trained with merging.

    Raises:
        OptionError: No threshold, or one out of range.
    """

    title = "ALGM"
    place = "after_attention"
    merges = 2  # the local one and the global one

    threshold: float | None = None
    weighted_decoding: bool = False

    def __post_init__(self) -> None:
        threshold = Words("none") if self.threshold is None else self.threshold
        fits = self.threshold is not None and 0 < self.threshold <= 1
        hint = "as in --set merge.threshold=0.9"
        require(fits, "threshold", "above 0, 1 at most", threshold, hint)

    def reductions(self, schedule: Sequence[int], grid: tuple[int, int]) -> list[Reduction]:
        """Return the local merge and the global one, or nothing for an empty schedule.

        Raises:
            ModelError: The schedule has neither two blocks nor none.
        """
        if len(schedule) not in (0, 2):
            raise ModelError(f"blocks: expected two blocks for ALGM, got {len(schedule)}")
        if not schedule:
            return []
        return [
            WindowPooling(grid, self.threshold or 0.0),
            GlobalMatching(layer=schedule[1] + 1),
        ]


class WindowPooling(ImageReduction):
    """Does the local merge, while every token is still one patch.

    grid     a a b b c      a window whose six pairs have a high mean cosine is one token; what
             a a b b c      hangs over the edge of an odd grid stays as it is
             d d e e f

    These tokens come in front, the one most alike first; then the other patches in order.

    Args:
        grid: Patches ``(down, across)``.
        threshold: As for `Algm`.
    """

    def __init__(self, grid: tuple[int, int], threshold: float) -> None:
        super().__init__()
        self.grid = grid
        self.threshold = threshold

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        return tokens

    def map_images(
        self, features: Tensor, lengths: Tensor, special_tokens: int
    ) -> tuple[Tensor, Tensor]:
        similarity = self._similarity(features)  # (B, down // 2, across // 2)
        rank = ranks(similarity.flatten(1)).view_as(similarity)

        alike = similarity >= self.threshold
        windows = alike.sum(dim=[1, 2])  # (B,) that become a token
        merging = self._each_patch(alike)  # (B, N)
        alone = windows[:, None] + (~merging).cumsum(1) - 1
        token = torch.where(merging, self._each_patch(rank), alone)
        return token, windows + (~merging).sum(dim=1)

    def _each_patch(self, windows: Tensor) -> Tensor:
        """Give each patch what its window has: ``(B, down // 2, across // 2)`` -> ``(B, N)``.

        A patch that is in no window gets 0.
        """
        down, across = self.grid
        patches = windows.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
        return functional.pad(patches, [0, across % 2, 0, down % 2]).flatten(1)

    def _similarity(self, features: Tensor) -> Tensor:
        """Compute each window's mean cosine: ``(B, N, F)`` -> ``(B, down // 2, across // 2)``."""
        down, across = self.grid
        images, width = features.shape[0], features.shape[2]
        unit = functional.normalize(features.float(), dim=-1).reshape(images, down, across, width)
        even = unit[:, : down // 2 * 2, : across // 2 * 2]
        windows = even.reshape(images, down // 2, 2, across // 2, 2, width)
        # |Σ u|² = Σ |u|² + twice the six cosines
        both = windows.sum(dim=4).sum(dim=2).square().sum(dim=-1)  # (B, down // 2, across // 2)
        own = windows.square().sum(dim=-1).sum(dim=4).sum(dim=2)
        return (both - own) / 12


class GlobalMatching(ImageReduction):
    """Does the global merge, along edges better than the mean by a part of the deviation.

    Args:
        layer: The number of the block, counted from 1, which the deviation is divided by.
    """

    def __init__(self, layer: int) -> None:
        super().__init__()
        self.layer = layer

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        return tokens

    def map_images(
        self, features: Tensor, lengths: Tensor, special_tokens: int
    ) -> tuple[Tensor, Tensor]:
        similarity, match = best_matches(features, lengths, special_tokens)
        # float64: where all are equal, so is their mean
        mean, deviation = _mean_and_deviation(similarity.double())
        merging = similarity >= mean + deviation / self.layer
        return bipartite_map(match, merging, in_order(merging), lengths, special_tokens)

    def similarity_flops(self, width: int, head_width: int) -> float:
        return width / 2  # n / 2 tokens with n / 2 others


def _mean_and_deviation(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each image's finite similarities.

    The shapes are ``(B, |A|)`` -> ``(B, 1)`` each. With fewer than two edges nothing deviates, and
    the deviation is not a number.
    """
    edge = similarity.isfinite()
    edges = edge.sum(dim=1, keepdim=True)
    mean = torch.where(edge, similarity, 0.0).sum(dim=1, keepdim=True) / edges
    deviations = torch.where(edge, similarity - mean, 0.0)
    return mean, (deviations.square().sum(dim=1, keepdim=True) / (edges - 1)).sqrt()
