"""Merge tokens by ALGM, without training.

The paper is Norouzi et al., "ALGM: Adaptive Local-then-Global Token Merging for Efficient Semantic
Segmentation with Plain Vision Transformers", CVPR 2024, section 3.

first block     2 × 2 windows of patches that are alike become one token each, by a threshold
second block    tokens merge across the image along the better edges of a bipartite matching

Both merges stand between attention and MLP and compare what attention gave. How many tokens merge
is each image's own affair: the authors' program takes the least of the batch. It also cuts at the
mean plus the deviation divided by the number of the layer, and merges more; here it is the whole
deviation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.errors import ModelError
from mpm_deploy.models.reductions.base import ImageReduction, Method, Reduction
from mpm_deploy.models.reductions.bipartite import best_matches, bipartite_map
from mpm_deploy.support.family import require


@dataclass(frozen=True)
class Algm(Method):
    """Merges at two blocks; the paper's are the first and the fifth, ViT-L's the first and seventh.

    Args:
        threshold: Mean cosine from which on a window is one token; the paper's are 0.90 for ViT-T,
            0.88 for S, 0.94 for B and 0.95 for L.

    Raises:
        OptionError: No threshold, or one out of range.
    """

    title = "ALGM"
    place = "after_attention"
    merges = 2  # the local one and the global one

    threshold: float | None = None

    def __post_init__(self) -> None:
        fits = self.threshold is not None and 0 < self.threshold <= 1
        hint = "as in --set merge.threshold=0.9"
        require(fits, "threshold", "above 0, 1 at most", self.threshold, hint)

    def reductions(self, merges: int, grid: tuple[int, int]) -> list[Reduction]:
        """Return the local merge and the global one, or nothing for an empty schedule.

        Raises:
            ModelError: The schedule has neither two blocks nor none.
        """
        if merges not in (0, 2):
            raise ModelError(f"blocks: expected two blocks for ALGM, got {merges}")
        both: list[Reduction] = [
            WindowPooling(grid, self.threshold or 0.0),
            GlobalMatching(),
        ]
        return both[:merges]


class WindowPooling(ImageReduction):
    """Does the local merge, while every token is still one patch.

    grid     a a b b c      a window whose six pairs have a high mean cosine is one token; what
             a a b b c      hangs over the edge of an odd grid stays as it is
             d d e e f

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

    def map_images(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        down, across = self.grid
        patch = torch.arange(down * across, device=features.device)
        row, column = patch // across, patch % across
        corner = (row // 2 * 2) * across + column // 2 * 2  # the upper left of each one's window
        destination = torch.where(self._alike(features).flatten(1), corner, patch)  # (B, N)
        kept = destination == patch
        return (kept.cumsum(1) - 1).gather(1, destination), kept.sum(dim=1)

    def _alike(self, features: Tensor) -> Tensor:
        """Mark the patches whose window becomes one token, ``(B, down, across)`` bool."""
        down, across = self.grid
        images, width = features.shape[0], features.shape[2]
        unit = functional.normalize(features.float(), dim=-1).reshape(images, down, across, width)
        even = unit[:, : down // 2 * 2, : across // 2 * 2]
        windows = even.reshape(images, down // 2, 2, across // 2, 2, width)
        # |Σ u|² = Σ |u|² + twice the six cosines
        both = windows.sum(dim=4).sum(dim=2).square().sum(dim=-1)  # (B, down // 2, across // 2)
        own = windows.square().sum(dim=-1).sum(dim=4).sum(dim=2)
        alike = (both - own) / 12 >= self.threshold
        patches = alike.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
        return functional.pad(patches, [0, across % 2, 0, down % 2])


class GlobalMatching(ImageReduction):
    """Does the global merge, along edges that are better than the mean by a standard deviation."""

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        return tokens

    def map_images(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        similarity, match = best_matches(features, lengths)
        # float64: where all are equal, so is their mean
        merging = similarity >= _mean_and_deviation(similarity.double())
        return bipartite_map(match, merging, lengths)

    def similarity_flops(self, width: int, head_width: int) -> float:
        return width / 2  # n / 2 tokens with n / 2 others


def _mean_and_deviation(similarity: Tensor) -> Tensor:
    """Return the mean plus the standard deviation of each image's finite similarities.

    The shapes are ``(B, |A|)`` -> ``(B, 1)``. With fewer than two edges nothing deviates, and the
    result is not a number.
    """
    edge = similarity.isfinite()
    edges = edge.sum(dim=1, keepdim=True)
    mean = torch.where(edge, similarity, 0.0).sum(dim=1, keepdim=True) / edges
    deviations = torch.where(edge, similarity - mean, 0.0)
    return mean + (deviations.square().sum(dim=1, keepdim=True) / (edges - 1)).sqrt()
