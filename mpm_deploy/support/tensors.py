"""Say what a value is that should have been another tensor, or another one's numbers."""

from typing import Any

from torch import Tensor


def shown(value: Any) -> str:
    """Return a tensor's shape and type, as in ``(2, 3) torch.uint8``, or the class of another."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {value.dtype}"


def all_finite(tensor: Tensor) -> bool:
    """Tell whether a tensor of floating point numbers holds no NaN and no infinity.

    The sum of many finite numbers is hardly ever infinite, and a look at each costs several times
    as much.
    """
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
