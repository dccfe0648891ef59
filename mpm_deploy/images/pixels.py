"""Take pixels that a program holds in memory: PIL images, arrays and tensors.

What is given is copied, so that the program may go on writing into it.
"""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.images.formats import BROKEN

ChannelOrder = Literal["rgb", "bgr"]

_CHANNELS = (1, 3, 4)  # gray, color, color with alpha


def from_pil(image: Image.Image) -> Tensor:
    """Take a PIL image as its ``convert("RGB")``, ``(3, height, width)`` uint8.

    Raises:
        ImageError: It is of a file that cannot be decoded.
    """
    try:
        pixels = np.array(image.convert("RGB"))  # an opened file is decoded only here
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{image}: {BROKEN}") from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


def from_array(array: NDArray[Any], channels: ChannelOrder) -> Tensor:
    """Copy ``(height, width)`` or ``(height, width, 1, 3 or 4)`` uint8 to ``(3, height, width)``.

    Raises:
        InputError: Another type or shape, or masked.
    """
    shape = array.shape
    if array.dtype != np.uint8 or not _is_picture(shape, shape[2:], shape[:1]):
        raise InputError(
            "image: expected a uint8 array (height, width, 3), gray (height, width) or "
            f"with alpha (height, width, 4), got {array.dtype} {shape}"
        )
    if isinstance(array, np.ma.MaskedArray):
        raise InputError("image: expected an array without a mask", "fill it: image.filled(0)")
    pixels = torch.from_numpy(np.array(array, order="C"))
    return _to_rgb(pixels[None] if array.ndim == 2 else pixels.permute(2, 0, 1), channels)


def from_tensor(tensor: Tensor, channels: ChannelOrder) -> Tensor:
    """Copy ``(height, width)`` or ``(1, 3 or 4, height, width)`` uint8 to ``(3, height, width)``.

    Raises:
        InputError: Another type or shape, or no dense tensor that holds values.
    """
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        raise InputError("image: expected a dense tensor that holds values", "make it dense")
    shape = tuple(tensor.shape)
    if tensor.dtype != torch.uint8 or not _is_picture(shape, shape[:1], shape[2:]):
        raise InputError(
            "image: expected a uint8 tensor (3, height, width), gray (height, width) or "
            f"with alpha (4, height, width), got {tensor.dtype} {shape}"
        )
    pixels = torch.from_numpy(np.array(tensor.cpu().numpy()))  # without the names of its axes
    return _to_rgb(pixels[None] if tensor.ndim == 2 else pixels, channels)


def _is_picture(shape: tuple[int, ...], channels: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Tell whether a shape is that of a picture, and leaves no doubt which axis is of channels."""
    if 0 in shape or len(shape) not in (2, 3):
        return False
    return len(shape) == 2 or channels == (3,) or (channels[0] in _CHANNELS and last != (3,))


def _to_rgb(planes: Tensor, channels: ChannelOrder) -> Tensor:
    """Replicate gray, drop alpha and turn BGR around: ``(3, height, width)``."""
    if planes.shape[0] == 1:
        return planes.expand(3, -1, -1)
    return planes[:3] if channels == "rgb" else planes[[2, 1, 0]]
