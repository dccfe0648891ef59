"""Turn image files into tensors, byte for byte as the C++ runner does it."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mpm_deploy.errors import ImageError, InputError, MpmError
from mpm_deploy.families import IMAGE_FORMATS
from mpm_deploy.images.formats.orientation import turn_upright
from mpm_deploy.images.formats.raster import MAX_PIXELS, Admit, check_size
from mpm_deploy.images.pixels import ChannelOrder, from_array, from_pil, from_tensor
from mpm_deploy.support.refusal import refusal, refusals_told


class BinaryFile(Protocol):
    """A file that is open for reading bytes, or whatever else reads as one."""

    def read(self) -> bytes:
        """Read all that is left."""
        ...


ImageLike = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryFile
    | Image.Image
    | NDArray[np.uint8]
    | Tensor
)
Taken = Path | bytes | Tensor


def find_images(path: str | Path, recursive: bool = False) -> list[Path]:
    """List the images of a folder, sorted by the bytes of their paths.

    What has a name that begins with a dot is left out: other programs keep their notes there.

    Args:
        path: A folder; or one file or pipe, taken whatever its suffix.
        recursive: Whether those in the folders inside it are listed too.

    Raises:
        InputError: Nothing there, or no ``.jpg``, ``.jpeg`` or ``.png`` in it.
    """
    path = Path(path)
    cure = "name an image or a folder of images"
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return [path]
        folders = [path, *_folders_in(path)] if recursive else [path]
        files = [file for folder in folders for file in folder.iterdir() if _is_image(file)]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file or folder", cure) from error
    except OSError as error:
        raise refusal(InputError, f"{path}: cannot be read", error, cure) from error
    except ValueError as error:  # a name that no file can have
        raise InputError(f"{path}: cannot be read: {error}", cure) from error
    if not files:
        raise InputError(
            f"{path}: no image in this folder (expected {', '.join(image_suffixes())})",
            _where_images_are(path, recursive),
        )
    return sorted(files, key=lambda file: bytes(file))


def _where_images_are(folder: Path, recursive: bool) -> str:
    """Say what to name in place of a folder without images: one inside it, if that has some."""
    if not recursive:
        with suppress(InputError):
            inner = find_images(folder, recursive=True)[0].parent
            return f"name one inside it, as {inner}; `run` takes them all with --recursive"
    return f"name a folder that holds {_format_names()} files"


def _folders_in(folder: Path) -> Iterator[Path]:
    """Yield all folders inside one, but for hidden ones and links, which may lead in a circle."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield path
            yield from _folders_in(path)


def image_suffixes() -> tuple[str, ...]:
    """Return what the names of images end in, in lower case, format by format."""
    return tuple(suffix for member in IMAGE_FORMATS.values() for suffix in member.SUFFIXES)


def check_names_a_folder(folder: Path) -> None:
    """Refuse an image's name for a folder of results, unless there is a folder of that name.

    Raises:
        InputError: It is one.
    """
    if folder.suffix.lower() in image_suffixes() and not folder.is_dir():
        raise InputError(
            f"{folder}: expected a folder for results, got an image's name", "name a folder"
        )


def has_images(folder: Path) -> bool:
    """Tell whether images lie in a folder, and not only in folders inside it."""
    return folder.is_dir() and any(_is_image(file) for file in folder.iterdir())


def decode(source: str | Path | bytes, admit: Admit = check_size) -> Tensor:
    """Decode a JPEG or PNG, whatever its name says, with its EXIF orientation applied.

    Gray is replicated, palettes are expanded, alpha is dropped, of 16 bits the high byte is taken,
    and color profiles are ignored.

    Args:
        source: A file, or a file's bytes.
        admit: Asked before pixels are decoded whether an image of that size may be.

    Returns:
        ``(3, height, width)`` uint8 RGB; a view of a ``(height, width, 3)`` buffer.

    Raises:
        ImageError: Unreadable, not a JPEG or PNG, cut off, broken, or not admitted.
    """
    if isinstance(source, bytes):
        return _decode(source, admit)
    try:
        return _decode(_read(Path(source)), admit)
    except ImageError as error:
        raise ImageError(f"{source}: {error.problem}", error.hint) from error


def orientation_of(data: bytes) -> int:
    """Return the EXIF orientation of an image, 1 to 8, without decoding its pixels.

    Args:
        data: A file's bytes.

    Raises:
        ImageError: Not a JPEG or PNG, cut off, or broken.
    """
    orientation: int = _format_of(data).orientation(data)
    return orientation


def take(image: ImageLike, channels: ChannelOrder = "rgb", max_pixels: int = MAX_PIXELS) -> Taken:
    """Take hold of an image: what was given may then be changed, closed or moved on.

    Args:
        image: A path; a file's bytes, or a file that is open in binary mode and is read from where
            it stands; a PIL image, as `from_pil` takes it; a uint8 array ``(height, width, 3)``
            or tensor ``(3, height, width)``, or either with 1 or 4 channels or as
            ``(height, width)``: gray is replicated, alpha is dropped.
        channels: The order of the channels of arrays and tensors: OpenCV gives ``"bgr"``.
        max_pixels: Pixels of the largest PIL image that is taken.

    Returns:
        What `decode` takes, or ``(3, height, width)`` uint8 where it is pixels already.

    Raises:
        ImageError: An open file that cannot be read, or a PIL image that cannot be decoded.
        InputError: Another type, dtype or shape.
    """
    try:
        with refusals_told():
            return _take(image, channels, max_pixels)
    except MpmError:
        raise
    except Exception as error:  # whatever an object raises that is like an image
        raise InputError(f"image: cannot be taken: {type(error).__name__}: {error}") from error


def _take(image: ImageLike, channels: ChannelOrder, max_pixels: int) -> Taken:
    if isinstance(image, str | os.PathLike):
        return Path(os.fsdecode(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, Image.Image):
        return from_pil(image, max_pixels)
    if isinstance(image, np.ndarray):
        return from_array(image, channels)
    if isinstance(image, Tensor):
        return from_tensor(image, channels)
    if hasattr(image, "read"):
        return _read_open(image)
    raise InputError(
        "image: expected a path, an open file, a file's bytes, a PIL image, an array or a tensor, "
        f"got {type(image).__name__}",
        "numpy.asarray(image) makes an array of what many libraries hold",
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
    """Resize like `fit` but without antialiasing, for windows to slide over.

    Segmenter's evaluation interpolates alike, but in floating point. Here whole levels come of
    either axis, and where both are scaled about a quarter of the values is one level off.
    """
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
    hidden = path.name.startswith(".")  # as macOS's ._a.jpg, which holds no picture
    return is_file and not hidden and path.suffix.lower() in image_suffixes()


def _read_open(file: BinaryFile) -> bytes:
    try:
        data = file.read()
    except UnicodeError as error:
        raise _not_binary("text") from error
    except Exception as error:
        raise ImageError(f"image: the open file cannot be read: {error}") from error
    if not isinstance(data, bytes | bytearray):
        raise _not_binary(type(data).__name__)
    if not data:
        raise ImageError("image: the open file has no more bytes", "go to its start: seek(0)")
    return bytes(data)


def _not_binary(got: str) -> InputError:
    return InputError(
        f"image: expected an open file that reads bytes, got {got}",
        'open it in binary mode: open(path, "rb")',
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refusal(ImageError, "cannot be read", error) from error
    except ValueError as error:  # a name that no file can have
        raise ImageError(f"cannot be read: {error}") from error


def _decode(data: bytes, admit: Admit) -> Tensor:
    upright = turn_upright(_format_of(data).read(data, admit))
    return torch.from_numpy(upright).permute(2, 0, 1)


def _format_of(data: bytes) -> Any:
    """Return the member of `IMAGE_FORMATS` that a file's bytes begin as."""
    if not data:
        raise ImageError("the file is empty")
    for member in IMAGE_FORMATS.values():
        if data.startswith(member.MAGIC):
            return member
    raise ImageError(f"not a {_format_names()} file")


def _format_names() -> str:
    return " or ".join(IMAGE_FORMATS)
