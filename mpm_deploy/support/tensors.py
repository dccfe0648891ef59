"""Say what a value is that should have been another tensor."""

from typing import Any

from torch import Tensor


def shown(value: Any) -> str:
    """Return a tensor's shape and type, as in ``(2, 3) torch.uint8``, or the class of another."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {value.dtype}"
