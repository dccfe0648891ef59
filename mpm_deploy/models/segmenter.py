"""Define the whole model, which turns uint8 images into class scores and merge maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.base import PackedEncoder
from mpm_deploy.models.heads.base import Decoder
from mpm_deploy.models.packing import unmerged
from mpm_deploy.models.reductions.base import Packed, patch_counts, token_counts

RECONSTRUCT = ("after_decoder", "before_decoder")


class Segmenter(nn.Module):
    """A merging ViT encoder with a segmentation head, normalization included.

    Args:
        encoder: The encoder, with its schedule.
        decoder: A head of `mpm_deploy.models.heads`.
        mean: Mean of each channel, on 0..1.
        std: Standard deviation of each channel, on 0..1.
        reconstruct: Where merged tokens become patches again: ``"after_decoder"`` decodes the
            merged tokens and gathers the scores, ``"before_decoder"`` gathers the tokens as the
            paper of Mutual Pair Merging does. The scores are the same, unless the method decodes
            merged tokens unweighted. To a head that reads a pyramid of maps both are the same
            thing: an adapter gathers tokens wherever it makes maps of them.
        image_size: ``(height, width)`` of the images in pixels; None is the encoder's. Where that
            is larger, zeros go around normalized images, half on each side, and the scores of what
            is then encoded are taken for those of the image, as DINOv2's segmenters do it.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        encoder: PackedEncoder,
        decoder: Decoder,
        mean: Sequence[float],
        std: Sequence[float],
        reconstruct: str = "after_decoder",
        image_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if reconstruct not in RECONSTRUCT:
            raise ModelError(f"reconstruct: expected one of {RECONSTRUCT}, got {reconstruct!r}")
        self.encoder = encoder
        self.decoder = decoder
        # A head that reads a pyramid of maps gets nothing merged, however it is asked for.
        self.merges = len(encoder.schedule) > 0 and not encoder.readout.pyramid
        self.decodes_merged = reconstruct == "after_decoder"
        self.uncounted_merges = encoder.uncounted_merges
        self.counts_tokens = len(encoder.schedule) > encoder.uncounted_merges
        self.image_size: tuple[int, int] = image_size or encoder.image_size
        self.pads = self.image_size != encoder.image_size
        self.padding: list[int] = _center_padding(self.image_size, encoder.image_size)
        self.grid: tuple[int, int] = encoder.grid
        down, across = encoder.grid
        self.score_grid: tuple[int, int] = (down * decoder.upsampling, across * decoder.upsampling)
        # (x / 255 - mean) / std as one multiply and one add
        scale = [1 / (255 * s) for s in std]
        shift = [-m / s for m, s in zip(mean, std, strict=True)]
        self.register_buffer("scale", torch.tensor(scale).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(shift).view(1, 3, 1, 1), persistent=False)

    def compute_in(self, dtype: torch.dtype) -> "Segmenter":
        """Convert encoder and decoder to ``dtype``; pixels are still normalized in float32."""
        self.encoder.to(dtype)
        self.decoder.to(dtype)
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score every class at every place of the grid of scores.

        Args:
            images: ``(B, 3, H, W)`` uint8, of the model's image size.

        Returns:
            ``scores (B, K, h, w)`` float32 on the grid of scores, which is the patches' unless the
            head upsamples; and ``merge_maps (B, M, N)`` int32: the token of its image that each
            patch belongs to after each of the M merges.
        """
        taps, merge_maps = self.encoder(self.normalized(images))
        return self.scored(taps, merge_maps), merge_maps

    def normalized(self, images: Tensor) -> Tensor:
        """Normalize images ``(B, 3, H, W)`` uint8, and pad them to the encoder's size: float32."""
        normalized = images.to(self.scale.dtype) * self.scale + self.shift
        return functional.pad(normalized, self.padding) if self.pads else normalized

    def scored(self, taps: list[Packed], merge_maps: Tensor) -> Tensor:
        """Decode what the encoder gives into scores ``(B, K, h, w)`` float32."""
        scores = self._decode(taps, merge_maps)  # (B, h * w, K)
        down, across = self.score_grid
        scores = scores.transpose(1, 2).reshape(scores.shape[0], -1, down, across)
        return scores.float().contiguous()

    def _decode(self, taps: list[Packed], merge_maps: Tensor) -> Tensor:
        counts: torch.Tensor | None = None
        if self.merges and not self.decodes_merged:
            taps = [unmerged(tap) for tap in taps]
        elif self.counts_tokens:
            counts = self._counts(taps[-1], merge_maps)
        return self.decoder(taps, counts)

    def _counts(self, packed: Packed, merge_maps: Tensor) -> Tensor:
        """Count how many patches, or tokens of a merge that counts one each, a row is: ``(T,)``."""
        if self.uncounted_merges == 0:
            return patch_counts(packed)
        return token_counts(packed, merge_maps[:, self.uncounted_merges - 1])


def _center_padding(size: tuple[int, int], padded: tuple[int, int]) -> list[int]:
    """Return the pixels to pad at the left, right, top and bottom; odd ones end right and below."""
    down, across = padded[0] - size[0], padded[1] - size[1]
    return [across // 2, across - across // 2, down // 2, down - down // 2]
