"""Hold counts of FLOPs as polynomials of the tokens kept."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Polynomial:
    """The polynomial ``constant + linear t + quadratic t²``, where t is the image tokens kept."""

    constant: float = 0.0
    linear: float = 0.0
    quadratic: float = 0.0

    def __add__(self, other: "Polynomial") -> "Polynomial":
        return Polynomial(
            self.constant + other.constant,
            self.linear + other.linear,
            self.quadratic + other.quadratic,
        )

    def at(self, tokens: int) -> "Polynomial":
        """Return the value for ``tokens`` image tokens, as a polynomial that is constant."""
        return Polynomial(self.constant + (self.linear + self.quadratic * tokens) * tokens)


def per_row(each: float, others: int) -> Polynomial:
    """Count ``each`` FLOPs for every row, of which ``others`` are no image tokens."""
    return Polynomial(each * others, each)


def multiply_adds(*modules: nn.Module) -> float:
    """Count the products of linear and convolutional layers for each place that they compute.

    They are as many as weights, and FLOPs are twice as many. A transposed convolution is counted
    for each place that it starts from.
    """
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    layers = (layer for module in modules for layer in module.modules())
    return float(sum(layer.weight.numel() for layer in layers if isinstance(layer, kinds)))
