"""Define the head that is one linear layer."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Packed
from mpm_deploy.support.family import require


@dataclass(frozen=True)
class LinearHead(Head):
    """One linear layer from token to class scores.

    A BatchNorm before it, as DINOv2's heads have one, is part of the layer's weights.

    Args:
        taps: How many of the last blocks it reads, side by side in one wider token.

    Raises:
        OptionError: No block at all.
    """

    taps: int = 1

    def __post_init__(self) -> None:
        require(self.taps > 0, "taps", "> 0", self.taps)

    @property
    def readout(self) -> Readout:
        return Readout(taps=tuple(range(-self.taps, 0)))

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        return LinearDecoder(width, classes, self.taps)


class LinearDecoder(Decoder):
    """A decoder that is one linear layer from token to class scores.

    Args:
        width: Width C of a token.
        classes: Number of classes K.
        taps: How many blocks' tokens the layer reads, side by side.
    """

    def __init__(self, width: int, classes: int, taps: int = 1) -> None:
        super().__init__()
        self.head = nn.Linear(taps * width, classes)

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        if len(taps) == 1:
            return self.head(taps[0].tokens)[taps[0].rows]
        # Each tap has rows of its own, so each is multiplied by its part of the layer.
        width = taps[0].tokens.shape[1]
        scores = self.head.bias.expand(1, 1, -1)
        for index, tap in enumerate(taps):
            part = self.head.weight[:, index * width : (index + 1) * width]  # (K, C)
            scores = scores + functional.linear(tap.tokens, part)[tap.rows]
        return scores

    def flops(self, patches: int) -> Polynomial:
        return per_row(2.0 * self.head.in_features * self.head.out_features, others=0)
