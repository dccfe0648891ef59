"""Define the head that is one linear layer."""

from dataclasses import dataclass

from torch import Tensor, nn

from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.polynomial import Polynomial, per_row


@dataclass(frozen=True)
class LinearHead(Head):
    """One linear layer from token to class scores; it has no options."""

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        return LinearDecoder(width, classes)


class LinearDecoder(Decoder):
    """A decoder that is one linear layer from token to class scores."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, classes)

    def forward(
        self,
        tokens: Tensor,
        offsets: Tensor,
        rows: Tensor,
        max_length: int,
        special_tokens: int,
        patch_counts: Tensor | None = None,
    ) -> Tensor:
        return self.head(tokens)[rows]

    def flops(self, patches: int) -> Polynomial:
        return per_row(2.0 * self.head.in_features * self.head.out_features, others=0)
