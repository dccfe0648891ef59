"""Compute GELU (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016): the truth."""

from torch import Tensor
from torch.nn import functional


def gelu(rows: Tensor) -> Tensor:
    """Compute ``x Φ(x)`` of each element, with Φ the normal distribution's: any shape."""
    return functional.gelu(rows)
