"""Define what every segmentation head takes and returns."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mpm_deploy.artifact import ScoreKind
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.polynomial import Polynomial
from mpm_deploy.models.reductions import Packed


class Decoder(nn.Module):
    """A head's module: from packed tokens to class scores.

    Attributes:
        upsampling: Scores per patch along each axis: 1 gives one a patch, 4 a grid of 4 × 4 in it.
        score_kind: What its scores are: ``"logits"``, whose softmax is a probability, or
            ``"probabilities"``, which are sums of such, from 0 up.
    """

    upsampling = 1
    score_kind: ScoreKind = "logits"

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        """Score every patch.

        Args:
            taps: The tokens at each tap that its head asks for, the last block's last.
            patch_counts: How many patches each row of the last tap stands for, ``(T,)``; None where
                each stands for one.

        Returns:
            The class scores ``(B, S, K)``, where the S places are the patches' grid, finer by
            `upsampling` along each axis, row by row.
        """
        raise NotImplementedError

    def flops(self, patches: int) -> Polynomial:
        """Count the FLOPs for an image of ``patches`` patches, by the tokens that are decoded."""
        raise NotImplementedError

    def flop_parts(self, patches: int) -> dict[str, Polynomial]:
        """Count as `flops` does, part by part; their sum is its."""
        return {"head": self.flops(patches)}


class Head(ABC):
    """A kind of head, which makes the decoder of a model.

    A member of `families.HEADS` is a frozen dataclass of this kind, and its fields are the options
    that a recipe's ``[model]`` table takes with it.
    """

    @property
    def readout(self) -> Readout:
        """What it reads of an encoder: the last block's tokens, unless a member says otherwise."""
        return Readout()

    @abstractmethod
    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        """Make a decoder with weights of any value.

        Args:
            width: Width of the tokens.
            classes: Number of classes K.
            grid: Patches of an image, ``(down, across)``.
        """
