"""Turn image files into tensors, byte for byte as the C++ runner does it."""

import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.families import IMAGE_FORMATS
from mpm_deploy.images.formats import BROKEN, Raster
from mpm_deploy.support.refusal import refusal

# What EXIF orientation n asks for: transpose, then flip rows, then flip columns.
_ORIENTATIONS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}

ImageLike = str | Path | Image.Image | NDArray[np.uint8] | Tensor


def find_images(path: str | Path) -> list[Path]:
    """List the images of a folder, sorted by the bytes of their names, without sub-folders.

    Args:
        path: A folder; or one file, taken whatever its suffix.

    Raises:
        InputError: Nothing there, or no ``.jpg``, ``.jpeg`` or ``.png`` in it.
    """
    path = Path(path)
    cure = "name an image or a folder of images"
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return [path]
        files = [file for file in path.iterdir() if _is_image(file)]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file or folder", cure) from error
    except OSError as error:
        raise refusal(InputError, f"{path}: cannot be read", error, cure) from error
    if not files:
        raise InputError(
            f"{path}: no image in this folder (expected {', '.join(image_suffixes())})",
            f"name a folder that holds {_format_names()} files",
        )
    return sorted(files, key=lambda file: bytes(file))


def image_suffixes() -> tuple[str, ...]:
    """Return what the names of images end in, in lower case, format by format."""
    return tuple(suffix for member in IMAGE_FORMATS.values() for suffix in member.SUFFIXES)


def has_images(folder: Path) -> bool:
    """Tell whether images lie in a folder, and not only in folders inside it."""
    return folder.is_dir() and any(_is_image(file) for file in folder.iterdir())


def decode(source: str | Path | bytes) -> Tensor:
    """Decode a JPEG or PNG, whatever its name says, with its EXIF orientation applied.

    Gray is replicated, palettes are expanded, alpha is dropped, of 16 bits the high byte is taken,
    and color profiles are ignored.

    Args:
        source: A file, or a file's bytes.

    Returns:
        ``(3, height, width)`` uint8 RGB; a view of a ``(height, width, 3)`` buffer.

    Raises:
        ImageError: Unreadable, not a JPEG or PNG, cut off, broken, or more than 100,000,000 pixels.
    """
    if isinstance(source, bytes):
        return _decode(source)
    try:
        return _decode(_read(Path(source)))
    except ImageError as error:
        raise ImageError(f"{source}: {error.problem}", error.hint) from error


def to_tensor(image: ImageLike) -> Tensor:
    """Take an image in any of the forms that Python programs pass around.

    Args:
        image: A file; a PIL image, taken as its ``convert("RGB")`` with no EXIF orientation
            applied; a uint8 array ``(height, width, 3)``; or a uint8 tensor
            ``(3, height, width)``.

    Returns:
        ``(3, height, width)`` uint8.

    Raises:
        ImageError: A file, or a PIL image of one, that cannot be decoded.
        InputError: Another type, dtype or shape.
    """
    if isinstance(image, str | Path):
        return decode(image)
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise InputError(
                f"image: expected a uint8 array (height, width, 3), "
                f"got {image.dtype} {tuple(image.shape)}"
            )
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)
    if isinstance(image, Tensor):
        if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise InputError(
                f"image: expected a uint8 tensor (3, height, width), "
                f"got {image.dtype} {tuple(image.shape)}"
            )
        return image.cpu()
    raise InputError(
        f"image: expected a path, PIL image, array or tensor, got {type(image).__name__}"
    )


def fit(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize to the model's input, antialiased; the aspect ratio is not kept.

    It is aten's uint8 kernel on channels-last memory, which gives equal bytes on every processor
    and at any number of threads.

    Args:
        image: ``(3, height, width)`` uint8.
        size: ``(H, W)``.

    Returns:
        ``(3, H, W)`` uint8, contiguous; the same pixels where the size already is right.
    """
    return _resize(image, size, torch.ops.aten._upsample_bilinear2d_aa)


def scale(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize like `fit` but without antialiasing, as the evaluation by windows does."""
    return _resize(image, size, torch.ops.aten.upsample_bilinear2d)


def _resize(image: Tensor, size: tuple[int, int], interpolate: Callable[..., Tensor]) -> Tensor:
    if tuple(image.shape[1:]) == tuple(size):
        return image.contiguous()
    rows = image.permute(1, 2, 0).contiguous()  # (height, width, 3): how decoders lay pixels out
    batch = rows.permute(2, 0, 1)[None]
    return interpolate(batch, list(size), False, None, None)[0].contiguous()


def _is_image(path: Path) -> bool:
    """Tell by its name whether a file is an image.

    A link to nothing counts, so that skipping it is reported.
    """
    is_file = path.is_file() or (path.is_symlink() and not path.exists())
    return is_file and path.suffix.lower() in image_suffixes()


def _from_pil(image: Image.Image) -> Tensor:
    try:
        pixels = np.array(image.convert("RGB"))  # an opened file is decoded only here
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{image}: {BROKEN}") from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refusal(ImageError, "cannot be read", error) from error


def _decode(data: bytes) -> Tensor:
    if not data:
        raise ImageError("the file is empty")
    for member in IMAGE_FORMATS.values():
        if data.startswith(member.MAGIC):
            upright = _turn_upright(member.read(data))
            return torch.from_numpy(upright).permute(2, 0, 1)
    raise ImageError(f"not a {_format_names()} file")


def _format_names() -> str:
    return " or ".join(IMAGE_FORMATS)


def _turn_upright(raster: Raster) -> NDArray[np.uint8]:
    """Apply the EXIF orientation, and return ``(height, width, 3)``, contiguous."""
    pixels = raster.pixels
    transpose, flip_rows, flip_columns = _ORIENTATIONS[raster.orientation]
    if transpose:
        pixels = pixels.transpose(1, 0, 2)
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    return np.array(pixels, order="C")  # of one pixel, ascontiguousarray keeps negative strides
