"""Define what every encoder takes and returns, and how a family of encoders names its backbones."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mpm_deploy.models.polynomial import Polynomial
from mpm_deploy.models.reductions import Method, Packed


@dataclass(frozen=True)
class Readout:
    """What a head reads of an encoder, and what it sends into it.

    Args:
        taps: The blocks after which tokens are read, rising; -1 is the last, -2 the one before.
        queries: Tokens of the head's own, which enter in front of each image's rows.
        query_blocks: How many of the last blocks they pass.
        pyramid: Whether it reads four maps in place of tokens, as an adapter makes them: of a
            fourth, an eighth, a sixteenth and a thirty-second of the image's size, each a tap of
            one row a cell, in which nothing is merged.
    """

    taps: tuple[int, ...] = (-1,)
    queries: int = 0
    query_blocks: int = 0
    pyramid: bool = False


class PackedEncoder(nn.Module):
    """An encoder that turns images into packed tokens, merging at the blocks of its schedule.

    Attributes:
        image_size: Input ``(height, width)`` in pixels.
        patch_size: Side of a patch in pixels.
        grid: Patches of an image, ``(down, across)``.
        width: Width C of a token.
        special_tokens: Rows in front of each image that hold no patch and are the encoder's own.
        readout: What the head reads of it.
        schedule: The blocks at which tokens merge, 0-based and rising.
        blocks: Its transformer blocks, in order.
        uncounted_merges: How many of its merges leave tokens that a head counts as one each, as
            the `Method` that merges them says.
    """

    image_size: tuple[int, int]
    patch_size: int
    grid: tuple[int, int]
    width: int
    special_tokens: int
    readout: Readout
    schedule: list[int]
    blocks: nn.ModuleList
    uncounted_merges: int = 0

    def forward(self, images: Tensor) -> tuple[list[Packed], Tensor]:
        """Encode normalized images.

        Args:
            images: ``(B, 3, H, W)`` float32, normalized; the encoder computes in its own type.

        Returns:
            The tokens at each tap of its readout, in order; and ``merge_maps (B, M, N)`` int32: the
            token that each patch went to by each merge, counted within its image.
        """
        raise NotImplementedError

    def fit(
        self, weights: Mapping[str, Tensor], image_size: tuple[int, int] | None
    ) -> dict[str, Tensor]:
        """Return weights that were made for another input as this encoder takes them.

        Args:
            weights: Those of such an encoder, by their names in it.
            image_size: Input ``(height, width)`` in pixels that they were made for; None where
                nobody knows.

        Raises:
            ModelError: They are for an input of which too little is known.
        """
        return dict(weights)

    def flop_stages(self) -> list[Polynomial]:
        """Count the FLOPs of what runs before the first merge, and after each."""
        raise NotImplementedError

    def flop_parts(self) -> dict[str, list[Polynomial]]:
        """Count as `flop_stages` does, part by part; their sums are its."""
        return {"encoder": self.flop_stages()}


@dataclass(frozen=True)
class EncoderFamily(ABC):
    """Encoders of one architecture, by the names of their backbones.

    A member of `families.ENCODERS` is a class of this kind. One whose backbones come in many sizes
    is a frozen dataclass, and its fields are the options that a recipe's ``[model]`` table takes
    with it.
    """

    @classmethod
    @abstractmethod
    def backbones(cls) -> tuple[str, ...]:
        """Return the names of its backbones that a list of all should hold."""

    @classmethod
    def every_backbone(cls) -> Iterable[str]:
        """Return the names of all its backbones, those too that no list holds."""
        return cls.backbones()

    @classmethod
    def has(cls, backbone: str) -> bool:
        """Tell whether one of its backbones has that name."""
        return backbone in cls.every_backbone()

    @classmethod
    @abstractmethod
    def patch_size(cls, backbone: str) -> int:
        """Return the side of a backbone's patch in pixels."""

    @abstractmethod
    def make(
        self,
        backbone: str,
        image_size: tuple[int, int],
        schedule: Sequence[int],
        method: Method,
        readout: Readout,
    ) -> PackedEncoder:
        """Make an encoder with weights of any value.

        Args:
            backbone: The name of one that it has.
            image_size: Input ``(height, width)`` in pixels.
            schedule: The blocks at which tokens merge, 0-based and rising.
            method: How they merge.
            readout: What the head reads of it.

        Raises:
            ModelError: A size or a schedule that does not fit the backbone, or a backbone that
                computes something else than an encoder does.
        """
