"""Name EVA-01's ViT with an adapter (Fang et al., "EVA", CVPR 2023), of any size."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpm_deploy.models.encoders.adapted_vit import GROUPS, PATCH_SIZE, AdaptedVit, AdapterConfig
from mpm_deploy.models.encoders.adapter import VALUE_RATIO
from mpm_deploy.models.encoders.base import EncoderFamily, Readout
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.reductions import Method
from mpm_deploy.support.family import require, require_counts

_NORM_EPSILON = 1e-6


@dataclass(frozen=True)
class EvaAdapter(EncoderFamily):
    """EVA-01's ViT without relative positions, with ViT-Adapter.

    Its authors segment ADE20K with it at 896 × 896, in the sizes that are the defaults here.

    Args:
        width: Width of a token.
        depth: Number of blocks, in four groups of equal size.
        heads: Attention heads of a block.
        mlp_width: Hidden width of a block's MLP.
        adapter_heads: Heads of the adapter's deformable attention.
        adapter_points: Points of such a head, in each level that it reads.
        stem_width: Channels of the adapter's finest map of the image.

    Raises:
        OptionError: A count below one, or one that does not divide what it parts.
    """

    width: int = 1408
    depth: int = 40
    heads: int = 16
    mlp_width: int = 6144
    adapter_heads: int = 16
    adapter_points: int = 4
    stem_width: int = 64

    def __post_init__(self) -> None:
        require_counts(self)
        require(self.depth % GROUPS == 0, "depth", f"{GROUPS} groups of equal size", self.depth)
        heads, width = self.heads, self.width
        require(width >= 4, "width", ">= 4, of which the adapter takes a quarter", width)
        require(width % heads == 0, "width", f"a multiple of heads, {heads}", width)
        parts = int(self.adapter_heads / VALUE_RATIO)
        expected = f"a multiple of {parts}, as each of adapter_heads reads a part of half of it"
        require(width % parts == 0, "width", expected, width)

    @classmethod
    def backbones(cls) -> tuple[str, ...]:
        return ("eva_giant_patch16_adapter",)

    @classmethod
    def patch_size(cls, backbone: str) -> int:
        return PATCH_SIZE

    def make(
        self,
        backbone: str,
        image_size: tuple[int, int],
        schedule: Sequence[int],
        method: Method,
        readout: Readout,
    ) -> AdaptedVit:
        config = EncoderConfig(
            image_size,
            PATCH_SIZE,
            self.width,
            self.depth,
            self.heads,
            self.mlp_width,
            norm_epsilon=_NORM_EPSILON,
            final_norm=False,
            position_resize="bicubic_antialiased",  # a choice: the authors resize none
        )
        adapter = AdapterConfig(self.adapter_heads, self.adapter_points, self.stem_width)
        return AdaptedVit(config, adapter, schedule, method, readout)
