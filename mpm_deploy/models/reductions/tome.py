"""Merge tokens by ToMe (Bolya et al., "Token Merging: Your ViT But Faster", ICLR 2023).

Between attention and MLP (section 3, "Strategy") the tokens are parted into two sets; each of one
has an edge to the most similar of the other, and those along the best edges merge ("Bipartite Soft
Matching"). Similarity is that of the keys of the block's attention, averaged over its heads ("Token
Similarity"), means are weighted by size ("Tracking Token Size"). Class and distillation tokens take
no part, but are counted where tokens are parted, as in the authors' program. So is what it does
where there is no class token: what is left of the first set comes with the most similar in front.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from mpm_deploy.models.reductions.base import ImageReduction, Method, Reduction
from mpm_deploy.models.reductions.bipartite import best_matches, bipartite_map, in_order, ranks
from mpm_deploy.support.family import OptionError, Words, require


@dataclass(frozen=True)
class Tome(Method):
    """Removes tokens at each block of the schedule; the paper's schedule is every block.

    Args:
        ratio: Share of an image's tokens that each merge removes, half at most.
        r: Number of tokens that each merge removes, instead of a ratio; at most half are removed.
        proportional_attention: Whether the logarithm of its size is added to each key's scores
            (section 3, equation 1), which is for models that were not trained with merging.

    Raises:
        OptionError: Both ``ratio`` and ``r``, or neither, or a value out of range.
    """

    title = "ToMe"
    place = "after_attention"

    ratio: float | None = None
    r: int | None = None
    proportional_attention: bool = True

    def __post_init__(self) -> None:
        ratio, r = self.ratio, self.r
        require(ratio is None or 0 < ratio <= 0.5, "ratio", "above 0, 0.5 at most", ratio)
        require(r is None or r > 0, "r", "> 0", r)
        if (ratio is None) == (r is None):
            got = "neither" if ratio is None else "both"
            raise OptionError("ratio", "ratio or r", Words(got), "as in --set merge.ratio=0.1")

    def reductions(self, schedule: Sequence[int], grid: tuple[int, int]) -> list[Reduction]:
        """Make one reduction for each block of the schedule, all alike."""
        return [SoftMatching(self.ratio or 0.0, self.r or 0) for _ in schedule]

    def scaled(self, share: float) -> Self:
        return self if self.r is None else replace(self, r=max(1, round(share * self.r)))


class SoftMatching(ImageReduction):
    """Merges a fixed number of tokens at one block, whatever is in the image.

    Images have equal lengths, and keep them.

    Args:
        ratio: Share of an image's tokens that it removes.
        r: Number of tokens that it removes besides.
    """

    def __init__(self, ratio: float, r: int) -> None:
        super().__init__(adaptive=False)
        self.ratio = ratio
        self.r = r

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        return keys.float().mean(dim=1)  # (T, D)

    def kept(self, tokens: int) -> int:
        return tokens - min(int(self.ratio * tokens + 0.5) + self.r, tokens // 2)

    def map_images(
        self, features: Tensor, lengths: Tensor, special_tokens: int
    ) -> tuple[Tensor, Tensor]:
        tokens = features.shape[1]  # of every image
        similarity, match = best_matches(features, lengths, special_tokens)
        rank = ranks(similarity)  # 0 for the best edge
        removed = tokens - self.kept(tokens)
        merging = rank < removed
        left = in_order(merging) if special_tokens > 0 else rank - removed
        return bipartite_map(match, merging, left, lengths, special_tokens)

    def similarity_flops(self, width: int, head_width: int) -> float:
        return head_width / 2  # n / 2 tokens with n / 2 others
