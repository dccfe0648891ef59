"""Define the head that is one linear layer."""

from torch import Tensor, nn


class LinearDecoder(nn.Module):
    """A head that is one linear layer from token to class scores."""

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
        """Score every patch; arguments and result are those of `MaskTransformer.forward`."""
        return self.head(tokens)[rows]
