"""Define Segmenter's decoder, the mask transformer."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.encoders.block import Block
from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.packing import first_rows, put_in_front, replace_special
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.reductions.base import with_tokens
from mpm_deploy.support.family import require

_NORM_EPSILON = 1e-5  # Segmenter's own, in decoder and encoder alike


@dataclass(frozen=True)
class MaskTransformerHead(Head):
    """Segmenter's mask transformer, as wide as the tokens.

    Args:
        depth: Number of its blocks; Segmenter's have two.

    Raises:
        OptionError: No block at all.
    """

    depth: int = 2

    def __post_init__(self) -> None:
        require(self.depth > 0, "depth", "> 0", self.depth)

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        return MaskTransformer(width, width, self.depth, classes)


class MaskTransformer(Decoder):
    """Segmenter's decoder: class embeddings attend together with the tokens, then mask them.

    Args:
        encoder_width: Width of the tokens.
        width: Width of the decoder.
        depth: Number of its blocks.
        classes: Number of classes K.
    """

    def __init__(self, encoder_width: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.proj_dec = nn.Linear(encoder_width, width)
        self.cls_emb = nn.Parameter(torch.zeros(classes, width))
        self.blocks = nn.ModuleList(
            Block(width, width // 64, 4 * width, norm_epsilon=_NORM_EPSILON) for _ in range(depth)
        )
        self.decoder_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.proj_patch = nn.Parameter(torch.zeros(width, width))
        self.proj_classes = nn.Parameter(torch.zeros(width, width))
        self.mask_norm = nn.LayerNorm(classes, eps=_NORM_EPSILON)

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        tap, classes = taps[-1], self.cls_emb.shape[0]
        projected = with_tokens(tap, self.proj_dec(tap.tokens))
        packed = put_in_front(projected, self.cls_emb, tap.special_tokens)
        log_counts: Tensor | None = None
        if patch_counts is not None:
            ones = torch.ones(classes, 1, device=tap.tokens.device, dtype=patch_counts.dtype)
            counts, _ = replace_special(
                patch_counts[:, None], tap.offsets, tap.special_tokens, ones
            )
            log_counts = counts.flatten().log()
        for block in self.blocks:
            packed = block(packed, log_counts)
        decoded = self.decoder_norm(packed.tokens)

        class_rows = first_rows(packed.offsets, classes)  # (B, K)
        rows = packed.rows
        patch_masks = functional.normalize(decoded @ self.proj_patch, dim=-1)[rows]  # (B, N, C)
        class_masks = functional.normalize(decoded[class_rows] @ self.proj_classes, dim=-1)
        return self.mask_norm(patch_masks @ class_masks.transpose(1, 2))

    def flops(self, patches: int) -> Polynomial:
        classes, width = self.cls_emb.shape
        flops = per_row(2.0 * self.proj_dec.in_features * width, others=0)
        for block in self.blocks:
            flops += cast(Block, block).flops(others=classes)
        flops += per_row(2.0 * width * width, others=classes)  # proj_patch and proj_classes
        return flops + Polynomial(constant=2.0 * patches * width * classes)
