"""Define what every encoder takes and returns, and how a family of encoders names its backbones."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from mpm_deploy.models.polynomial import Polynomial
from mpm_deploy.models.reductions import Method


class PackedEncoder(nn.Module):
    """An encoder that turns images into packed tokens, merging at the blocks of its schedule.

    Attributes:
        image_size: Input ``(height, width)`` in pixels.
        patch_size: Side of a patch in pixels.
        grid: Patches of an image, ``(down, across)``.
        width: Width C of a token.
        special_tokens: Rows in front of each image that hold no patch.
        schedule: The blocks at which tokens merge, 0-based and rising.
        blocks: Its transformer blocks, in order.
        weighted_decoding: As for the `Method` that merges its tokens.
    """

    image_size: tuple[int, int]
    patch_size: int
    grid: tuple[int, int]
    width: int
    special_tokens: int
    schedule: list[int]
    blocks: nn.ModuleList
    weighted_decoding: bool = True

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode normalized images.

        Args:
            images: ``(B, 3, H, W)`` float32, normalized; the encoder computes in its own type.

        Returns:
            ``tokens (T, C)`` with special tokens in front of each image's rows; ``offsets
            (B + 1,)`` int32; ``rows (B, N)`` int64, the row of ``tokens`` that each patch went to;
            ``merge_maps (B, M, N)`` int32, the same after each merge, counted within the image.
        """
        raise NotImplementedError

    def flop_stages(self) -> list[Polynomial]:
        """Count the FLOPs of what runs before the first merge, and after each."""
        raise NotImplementedError


class EncoderFamily(ABC):
    """Encoders of one architecture, by the names of their backbones.

    A member of `families.ENCODERS` is a class of this kind.
    """

    @classmethod
    @abstractmethod
    def backbones(cls) -> tuple[str, ...]:
        """Return the names of its backbones."""

    @abstractmethod
    def make(
        self, backbone: str, image_size: tuple[int, int], schedule: Sequence[int], method: Method
    ) -> PackedEncoder:
        """Make an encoder with weights of any value.

        Args:
            backbone: One of `backbones`.
            image_size: Input ``(height, width)`` in pixels.
            schedule: The blocks at which tokens merge, 0-based and rising.
            method: How they merge.

        Raises:
            ModelError: A size or a schedule that does not fit the backbone.
        """
