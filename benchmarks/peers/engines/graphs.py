"""Defines the two functions of a model as a plain user writes them, in operations that exporters of
other engines can read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.heads import eomt
from mpm_deploy.models.reductions import mpm
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.ops.blending.reference import blend


class Scores(nn.Module):
    """Computes class scores: ``(1, 3, H, W)`` uint8 -> ``(1, K, h, w)`` float32."""

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)[0]


class Labels(nn.Module):
    """Computes labels: ``(1, 3, H, W)`` uint8 -> ``(1, H, W)`` uint8, by interpolation to the
    input's size and argmax.
    """

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        self.model = model
        self.height, self.width = model.image_size

    def forward(self, images: Tensor) -> Tensor:
        scores = self.model(images)[0]
        upsampled = functional.interpolate(
            scores, size=(self.height, self.width), mode="bilinear", align_corners=False
        )
        return upsampled.argmax(dim=1).to(torch.uint8)


GRAPHS: dict[str, type[Scores] | type[Labels]] = {"scores": Scores, "labels": Labels}


@contextmanager
def plain_operations() -> Iterator[None]:
    """Blend by torch's own convolution, and merge without a view of unknown size.

    Kernels of its own this project calls in its own files alone. The eager model's answers stay
    what they are, and those of a conversion are held against them.
    """
    with (
        mock.patch.object(mpm, "nearest_neighbor", _nearest_neighbor),
        mock.patch.object(eomt, "blend", blend),
    ):
        yield


def _nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Compute what `mpm_deploy.ops.nearest_neighbor` does, for one image."""
    unit = functional.normalize(tokens.float(), dim=-1)
    row = torch.arange(tokens.shape[0])
    never = (row[:, None] == row[None]) | (row[None] < special_tokens)
    similarity = (unit @ unit.t()).masked_fill(never, float("-inf"))
    return torch.where(row < special_tokens, row, similarity.argmax(dim=1))
