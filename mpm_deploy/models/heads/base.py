"""Define what every segmentation head takes and returns."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mpm_deploy.models.polynomial import Polynomial


class Decoder(nn.Module):
    """A head's module: from packed tokens to class scores.

    Attributes:
        upsampling: Scores per patch along each axis: 1 gives one a patch, 4 a grid of 4 × 4 in it.
    """

    upsampling = 1

    def forward(
        self,
        tokens: Tensor,
        offsets: Tensor,
        rows: Tensor,
        max_length: int,
        special_tokens: int,
        patch_counts: Tensor | None = None,
    ) -> Tensor:
        """Score every patch.

        Args:
            tokens: ``(T, C)`` with special tokens in front of each image's rows.
            offsets: ``(B + 1,)`` int32.
            rows: ``(B, N)`` int64, the row of ``tokens`` that holds each patch.
            max_length: An upper bound of the rows an image has.
            special_tokens: Rows in front of each image that hold no patch.
            patch_counts: ``(T,)``, how many patches each row stands for; None where each stands
                for one.

        Returns:
            The class scores ``(B, S, K)``, where the S places are the patches' grid, finer by
            `upsampling` along each axis, row by row.
        """
        raise NotImplementedError

    def flops(self, patches: int) -> Polynomial:
        """Count the FLOPs for an image of ``patches`` patches, by the tokens that are decoded."""
        raise NotImplementedError


class Head(ABC):
    """A kind of head, which makes the decoder of a model.

    A member of `families.HEADS` is a frozen dataclass of this kind, and its fields are the options
    that a recipe's ``[model]`` table takes with it.
    """

    @abstractmethod
    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        """Make a decoder with weights of any value.

        Args:
            width: Width of the tokens.
            classes: Number of classes K.
            grid: Patches of an image, ``(down, across)``.
        """
