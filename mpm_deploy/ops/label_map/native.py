"""Make label maps with the native library, whose source is `cpp_runner/kernels`.

It needs no torch, and Python calls it by its C interface, with the interpreter's lock released.
"""

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

import mpm_deploy.ops
from mpm_deploy.errors import InputError, MissingPackageError
from mpm_deploy.images.windows import WindowGrid

FILE_NAMES = ("libmpm_kernels.so", "libmpm_kernels.dylib")

# As in mpm_kernels/label_map.h
_DONE, _NO_MEMORY = 0, 2
_LARGEST_SIDE, _LARGEST_CLASSES = 1 << 20, 1 << 15


def find_library() -> Path | None:
    """Find the native library, in ``mpm_deploy/ops`` or where an editable install puts it."""
    folders = [Path(folder) for folder in mpm_deploy.ops.__path__]
    files = (folder / name for folder in folders for name in FILE_NAMES)
    return next((file for file in files if file.is_file()), None)


def available() -> bool:
    """Tell whether there is a native library that this processor and system can load."""
    return _load() is not None


def label_map(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Make label maps like `mpm_deploy.ops.label_map.label_map`, equal to the bit.

    Args:
        scores: ``(B, K, h, w)`` float32 on the CPU, finite and below 2^127.
        size: ``(height, width)`` of the label maps.

    Returns:
        ``(B, height, width)``, uint8, or int16 where ``K > 256``.

    Raises:
        MissingPackageError: There is no native library here.
        InputError: Scores of another shape, type or device, or a size that is none.
    """
    library = _require()
    _check(scores, size)
    scores = scores.contiguous()
    batch, classes, down, across = scores.shape
    labels = _empty_labels(classes, batch, *size)
    for image, label_map_of_it in zip(scores, labels, strict=True):
        outcome = library.mpm_label_map(
            image.data_ptr(), classes, down, across, *size, label_map_of_it.data_ptr()
        )
        _check_outcome(outcome, f"scores {tuple(scores.shape)} at {size}")
    return labels


def window_label_map(scores: Tensor, grid: WindowGrid, size: tuple[int, int]) -> Tensor:
    """Make a label map like `mpm_deploy.ops.label_map.windows.window_label_map`, equal to the bit.

    Args:
        scores: ``(windows, K, h, w)`` float32 on the CPU, finite and below 2^100.
        grid: Where the windows lie.
        size: ``(height, width)`` of the label map.

    Returns:
        ``(height, width)``, uint8, or int16 where ``K > 256``.

    Raises:
        MissingPackageError: There is no native library here.
        InputError: Scores of another shape, type or device, or a size that is none.
    """
    library = _require()
    _check(scores, size)
    windows = len(grid.tops) * len(grid.lefts)
    if scores.shape[0] != windows:
        raise InputError(f"scores: expected those of {windows} windows, got {scores.shape[0]}")
    scores = scores.contiguous()
    _, classes, down, across = scores.shape
    labels = _empty_labels(classes, *size)
    outcome = library.mpm_window_label_map(
        scores.data_ptr(), classes, down, across, _Grid.of(grid), *size, labels.data_ptr()
    )
    _check_outcome(outcome, f"scores {tuple(scores.shape)} of {windows} windows at {size}")
    return labels


class _Grid(ctypes.Structure):
    """The struct ``mpm_window_grid`` of mpm_kernels/window_label_map.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("height", "width")),
        *((name, ctypes.c_int64) for name in ("window_height", "window_width", "rows", "columns")),
        ("tops", ctypes.POINTER(ctypes.c_int64)),
        ("lefts", ctypes.POINTER(ctypes.c_int64)),
    )

    @classmethod
    def of(cls, grid: WindowGrid) -> "_Grid":
        tops, lefts = ((ctypes.c_int64 * len(s))(*s) for s in (grid.tops, grid.lefts))
        return cls(*grid.size, *grid.window, len(tops), len(lefts), tops, lefts)


def _require() -> ctypes.CDLL:
    library = _load()
    if library is None:
        raise MissingPackageError(
            f"label maps by the native library: there is none in {list(mpm_deploy.ops.__path__)}",
            "install mpm-deploy where there is a C++ compiler (apt-get install g++), or use "
            "mpm_deploy.ops.label_map",
        )
    return library


def _empty_labels(classes: int, *shape: int) -> Tensor:
    dtype = torch.uint8 if classes <= 256 else torch.int16
    return torch.empty(shape, dtype=dtype, device="cpu")  # whatever the default is


def _check_outcome(outcome: int, asked: str) -> None:
    if outcome == _NO_MEMORY:
        raise MemoryError("the native library could not get the memory for a label map")
    if outcome != _DONE:
        raise InputError(f"label map: the native library refuses {asked}")


def _check(scores: Tensor, size: tuple[int, int]) -> None:
    if scores.dim() != 4 or scores.dtype != torch.float32 or scores.device.type != "cpu":
        raise InputError(
            "scores: expected (B, K, h, w) torch.float32 on the CPU, "
            f"got {tuple(scores.shape)} {scores.dtype} on {scores.device}"
        )
    if not 1 <= scores.shape[1] <= _LARGEST_CLASSES:
        raise InputError(f"scores: expected 1 to {_LARGEST_CLASSES} classes, got {scores.shape[1]}")
    if not all(1 <= side <= _LARGEST_SIDE for side in (*scores.shape[2:], *size)):
        raise InputError(
            f"label map: expected sides of 1 to {_LARGEST_SIDE}, "
            f"got scores {tuple(scores.shape)} and size {size}"
        )


@cache
def _load() -> ctypes.CDLL | None:
    file = find_library()
    if file is None:
        return None
    try:
        library = ctypes.CDLL(str(file))
        scores, sizes, labels = ctypes.c_void_p, [ctypes.c_int64] * 2, ctypes.c_void_p
        classes_and_sides = [ctypes.c_int64] * 3
        library.mpm_label_map.argtypes = [scores, *classes_and_sides, *sizes, labels]
        grid = ctypes.POINTER(_Grid)
        library.mpm_window_label_map.argtypes = [scores, *classes_and_sides, grid, *sizes, labels]
    except (OSError, AttributeError):  # built for another system, or of another version
        return None
    return library
