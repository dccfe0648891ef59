"""What a Runner gives for an image, and what an image becomes on the way there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mpm_deploy.images import ImageLike


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds from an image file to its label map, stage by stage.

    Attributes:
        decode: File to pixels; nearly 0 for an image that was in memory.
        fit: Resize to the model's input.
        copy: Images into one batch on the device.
        scores: The model.
        labels: Scores to label maps in host memory.
    """

    decode: float
    fit: float
    copy: float
    scores: float
    labels: float

    @property
    def total(self) -> float:
        """The sum of all stages."""
        return self.decode + self.fit + self.copy + self.scores + self.labels


@dataclass(frozen=True, eq=False)
class Result:
    """What the model says of one image.

    Attributes:
        source: The image, as it was given.
        labels: ``(height, width)`` class indices, uint8, or int16 past 256 classes.
        tokens_kept: Tokens left after each merge; empty for a full-token model.
        merge_maps: ``(merges, patches)`` int32: the token that each patch belongs to after each
            merge.
        stages_ms: ``decode`` and ``fit`` of this image; ``copy``, ``scores`` and ``labels`` of its
            whole batch. Waiting in between is not counted.
        batch: Images in its batch.
    """

    source: ImageLike
    labels: NDArray[np.integer[Any]]
    tokens_kept: tuple[int, ...]
    merge_maps: NDArray[np.int32]
    stages_ms: StageTimes
    batch: int


@dataclass(frozen=True)
class Skipped:
    """An image that could not be decoded, and why."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """An image that is ready for the model.

    Attributes:
        source: The image, as it was given.
        image: ``(3, H, W)`` uint8, of the model's input size.
        size: ``(height, width)`` of the label map to come.
        decode_ms: Time it took to decode.
        fit_ms: Time it took to fit.
    """

    source: ImageLike
    image: Tensor
    size: tuple[int, int]
    decode_ms: float
    fit_ms: float
