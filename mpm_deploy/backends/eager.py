"""Run the eager model as a program: nothing is compiled or written, so it is slow but at once."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mpm_deploy.artifact import Manifest
from mpm_deploy.backends.base import Program
from mpm_deploy.backends.devices import with_index
from mpm_deploy.ops.label_map.reference import label_map

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter


class EagerProgram(Program):
    """Answers with the model itself, where it is and in its dtype."""

    def __init__(self, model: "Segmenter", manifest: Manifest) -> None:
        super().__init__(manifest, with_index(torch.device(manifest.requires.device)))
        self._model = model.eval()

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores: tuple[Tensor, Tensor] = self._model(images)
        return scores

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return label_map(scores, size)
