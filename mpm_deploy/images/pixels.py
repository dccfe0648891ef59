"""Take pixels that a program holds in memory: PIL images, arrays and tensors.

What is given is copied, so that the program may go on writing into it.
"""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile
from torch import Tensor

from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.images.formats import BROKEN, MAX_PIXELS, Raster
from mpm_deploy.images.formats.exif import read_orientation
from mpm_deploy.images.formats.orientation import turn_upright
from mpm_deploy.images.formats.raster import Pixels, check_size, gray_to_rgb

ChannelOrder = Literal["rgb", "bgr"]

_CHANNELS = (1, 3, 4)  # gray, color, color with alpha
_NO_WHITE = ("I", "F")  # numbers of 32 bits


def from_pil(image: Image.Image, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Take a PIL image, ``(3, height, width)`` uint8, with the pixels that its file would give.

    One that ``Image.open`` gave is turned as its EXIF says; what a program made of it, as
    ``convert`` and ``resize`` do, is taken as it is. Alpha is dropped, of 16 bits the high byte is
    taken, and of several frames the current one. Pillow decodes it, and does not see where a JPEG
    with an end is cut: its path does.

    Raises:
        ImageError: Closed, or of a file that cannot be decoded; empty, or more than
            ``max_pixels``; or of mode ``"I"`` or ``"F"``, whose values do not say which is white.
    """
    try:
        check_size(*image.size, max_pixels)
        upright = turn_upright(Raster(_rgb(image), _orientation(image)))
    except ImageError as error:
        raise ImageError(f"{image}: {error.problem}", error.hint) from error
    except Exception as error:
        # Pillow has no error of its own for one whose file is closed before it was decoded.
        closed = isinstance(error, AttributeError | AssertionError) or "closed" in str(error)
        if closed:
            raise ImageError(f"{image}: the image is closed", "take it before it is") from error
        raise ImageError(f"{image}: {BROKEN}") from error
    return torch.from_numpy(upright).permute(2, 0, 1)


def from_array(array: NDArray[Any], channels: ChannelOrder) -> Tensor:
    """Copy ``(height, width)`` or ``(height, width, 1, 3 or 4)`` uint8 to ``(3, height, width)``.

    Raises:
        InputError: Another type or shape, or masked.
    """
    shape = array.shape
    if array.dtype != np.uint8 or not _is_picture(shape, shape[2:], shape[:1]):
        raise InputError(
            f"image: expected a uint8 array (height, width, 3), got {array.dtype} {shape}",
            "give values of 0 to 255; (height, width) is gray, (height, width, 4) has alpha",
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
        raise InputError(
            f"image: expected a dense tensor, got {tensor.layout} on {tensor.device.type}",
            "make it one that holds its values: image.to_dense()",
        )
    shape = tuple(tensor.shape)
    if tensor.dtype != torch.uint8 or not _is_picture(shape, shape[:1], shape[2:]):
        raise InputError(
            f"image: expected a uint8 tensor (3, height, width), got {tensor.dtype} {shape}",
            "give values of 0 to 255; (height, width) is gray, (4, height, width) has alpha",
        )
    pixels = torch.from_numpy(np.array(tensor.cpu().numpy()))  # without the names of its axes
    return _to_rgb(pixels[None] if tensor.ndim == 2 else pixels, channels)


def _rgb(image: Image.Image) -> Pixels:
    """Decode a PIL image of a file, and convert it to ``(height, width, 3)``."""
    if image.mode in _NO_WHITE:
        raise ImageError(
            f"the values of mode {image.mode} do not say which is white",
            'scale them to 0 to 255, and convert it to mode "L"',
        )
    if image.mode.startswith("I;16"):
        return gray_to_rgb((np.asarray(image.convert("I")) >> 8).astype(np.uint8))
    straight = image.convert("LA") if image.mode == "La" else image  # Pillow goes that way only
    return np.asarray(straight.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    if not isinstance(image, ImageFile.ImageFile):
        return 1
    exif: bytes = image.info.get("exif", b"")
    return read_orientation(exif.removeprefix(b"Exif\0\0"))


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
