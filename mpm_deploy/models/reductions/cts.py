"""Share tokens by CTS before the first block.

The paper is Lu et al., "Content-aware Token Sharing for Efficient Semantic Segmentation with Vision
Transformers", CVPR 2023, section 3. A superpatch is 2 × 2 patches; a policy, a network that is
trained for it, scores how likely each is of one class. The `shared` best of an image become one
token each: the patch that the image at half its size has in their place.

grid     0 1 2 3      superpatches A B, of which B is shared
         4 5 6 7
tokens   0 1 4 5 B    unshared patches in order, then shared superpatches in order

How many tokens that leaves does not depend on the image. At later blocks of the schedule Mutual
Pair Merging merges what is left, which is ours and not the authors'.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.packing import equal_offsets, first_rows
from mpm_deploy.models.reductions.base import Method, Packed, Reduction
from mpm_deploy.models.reductions.bipartite import ranks
from mpm_deploy.models.reductions.cts_policy import STRIDE, Policy
from mpm_deploy.models.reductions.mpm import MutualPairs
from mpm_deploy.support.family import require

_AS_IN = "as in --set merge.shared=103, the paper's at 512 × 512"


@dataclass(frozen=True)
class Cts(Method):
    """Shares at block 0, and merges what is left by Mutual Pair Merging before later blocks.

    A head decodes shared tokens unweighted, as the authors' program does and a model is trained
    for. What merges later was not trained for: it counts as often as the tokens that it stands
    for, so that scores are those that these would have by themselves.

    Args:
        shared: Superpatches of an image that become one token each; None is as large a part of
            them as the weights were trained with. The paper's are 103 of 256 for ADE20K at
            512 × 512, 90 of 225 for Pascal Context at 480 × 480 and 336 of 576 for Cityscapes at
            768 × 768.
        weighted_decoding: Whether the head counts every token as often as its patches.

    Raises:
        OptionError: A number that is not above 0.
    """

    title = "CTS"
    place = "before_block"
    first_block = 0

    shared: int | None = None
    weighted_decoding: bool = False

    def __post_init__(self) -> None:
        require(self.shared is None or self.shared > 0, "shared", "> 0", self.shared, _AS_IN)

    def reductions(self, schedule: Sequence[int], grid: tuple[int, int]) -> list[Reduction]:
        """Return the sharing and a merge for each later block, or nothing for an empty schedule.

        Raises:
            ModelError: The schedule does not begin with block 0, the grid is not one of whole
                superpatches or has fewer than are to be shared, or their number is not known.
        """
        if not schedule:
            return []
        if schedule[0] != 0:
            raise ModelError(
                f"blocks: expected block 0 first for CTS, got {list(schedule)}",
                "tokens are shared before any block: --set merge.blocks=[0], or with later blocks "
                f"too, at which what is left merges: --set merge.blocks={[0, *schedule]}",
            )
        return [Sharing(grid, self._checked(grid)), *(MutualPairs() for _ in schedule[1:])]

    def scaled(self, share: float) -> Self:
        shared = self.shared
        return self if shared is None else replace(self, shared=max(1, round(share * shared)))

    def completed(self, trained: Self) -> Self:
        return replace(self, shared=trained.shared) if self.shared is None else self

    def uncounted_merges(self, merges: int) -> int:
        return 0 if self.weighted_decoding else min(merges, 1)

    def _checked(self, grid: tuple[int, int]) -> int:
        """Return how many superpatches are shared, which must fit a grid ``(down, across)``."""
        down, across = grid
        if down % 2 or across % 2:
            raise ModelError(
                f"CTS: expected a grid of 2 × 2 patches each, got {down} × {across} patches",
                f"take an image size of whole {STRIDE} pixels: --set model.image_size=[512,512]",
            )
        if self.shared is None:
            raise ModelError(
                "shared: expected how many superpatches become one token each, got none, and the "
                "weights do not say",
                _AS_IN,
            )
        superpatches = down * across // 4
        if self.shared > superpatches:
            usual = max(1, superpatches * 2 // 5)
            raise ModelError(
                f"shared: expected at most the {superpatches} superpatches of {down} × {across} "
                f"patches, got {self.shared}",
                f"the paper shares 40 to 60 % of them: --set merge.shared={usual}",
            )
        return self.shared


class Sharing(Reduction):
    """Lets the policy's best superpatches be one token each; no size depends on the data.

    Args:
        grid: Patches ``(down, across)``, even numbers.
        shared: As for `Cts`.
    """

    place = "after_embedding"

    def __init__(self, grid: tuple[int, int], shared: int) -> None:
        super().__init__()
        self.grid = grid
        self.shared = shared
        self.policy = Policy()

    def after_embedding(self, packed: Packed, images: Tensor, halved: Tensor) -> Packed:
        return self.share(packed, self.policy(images), halved)

    def share(self, packed: Packed, scores: Tensor, halved: Tensor) -> Packed:
        """Share the superpatches of the highest scores ``(B, N / 4)``, of equals the first."""
        batch, patches = packed.rows.shape[0], packed.rows.shape[1]
        kept = patches - 3 * self.shared
        shared = ranks(scores) < self.shared  # (B, N / 4)
        behind = patches - 4 * self.shared + shared.cumsum(1) - 1  # each superpatch's token
        sharing = self._each_patch(shared)  # (B, N)
        alone = (~sharing).cumsum(1) - 1
        token = torch.where(sharing, self._each_patch(behind), alone)

        # Each token has the row that comes to its place; what has no token goes one place beyond.
        places = torch.cat([alone.where(~sharing, kept), behind.where(shared, kept)], dim=1)
        first_halved = packed.tokens.shape[0]
        halved_rows = torch.arange(halved.shape[0] * halved.shape[1], device=halved.device)
        sources = torch.cat([packed.rows, first_halved + halved_rows.view(batch, -1)], dim=1)
        image_rows = sources.new_zeros(batch, kept + 1).scatter(1, places, sources)[:, :kept]

        special = packed.special_tokens
        rows = torch.cat([first_rows(packed.offsets, special), image_rows], dim=1).flatten()
        length = special + kept
        offsets = equal_offsets(batch, length, halved.device)
        return Packed(
            torch.cat([packed.tokens, halved.flatten(0, 1)])[rows],
            offsets,
            length,
            offsets[:-1, None].long() + special + token,
            special,
        )

    def _each_patch(self, superpatches: Tensor) -> Tensor:
        """Give each patch what its superpatch has: ``(B, N / 4)`` -> ``(B, N)``."""
        down, across = self.grid
        grid = superpatches.view(-1, down // 2, across // 2)
        return grid.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2).flatten(1)

    def check_patches(self, patch_size: int) -> None:
        if 2 * patch_size != STRIDE:
            raise ModelError(
                f"CTS: expected patches of {STRIDE // 2} pixels, of which its policy scores 2 × 2, "
                f"got {patch_size}",
                "take a backbone with such patches, or another merge.method",
            )

    def initialize(self, generator: torch.Generator) -> None:
        self.policy.initialize(generator)

    def image_flops(self) -> float:
        side = STRIDE // 2
        return self.policy.flops((side * self.grid[0], side * self.grid[1]))
