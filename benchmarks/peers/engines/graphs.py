"""Defines the two functions of a model as a plain user writes them."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.segmenter import Segmenter


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
