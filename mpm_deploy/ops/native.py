"""The label map by the native library, which `cpp_runner/kernels` is the source of.

It needs no torch, and Python calls it by its C interface, with the interpreter's lock released.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

import mpm_deploy.ops
from mpm_deploy.errors import InputError, MissingPackageError

FILE_NAMES = ("libmpm_kernels.so", "libmpm_kernels.dylib")

# As in mpm_kernels/label_map.h
_DONE, _NO_MEMORY = 0, 2
_LARGEST_SIDE, _LARGEST_CLASSES = 1 << 20, 1 << 15


def find_library() -> Path | None:
    """Where the native library lies: beside this file, or where an editable install puts it."""
    folders = [Path(folder) for folder in mpm_deploy.ops.__path__]
    files = (folder / name for folder in folders for name in FILE_NAMES)
    return next((file for file in files if file.is_file()), None)


def available() -> bool:
    """Whether there is a native library that this processor and system can load."""
    return _load() is not None


def label_map(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """As `mpm_deploy.ops.label_map.label_map`, and equal to it to the bit.

    Args:
        scores: ``(B, K, h, w)`` float32 on the CPU, finite and below 2^127.
        size: ``(height, width)`` of the label maps.

    Returns:
        ``(B, height, width)``, uint8, or int16 where ``K > 256``.

    Raises:
        MissingPackageError: There is no native library here.
        InputError: Scores of another shape, type or device, or a size that is none.
    """
    function = _load()
    if function is None:
        raise MissingPackageError(
            f"label maps by the native library: there is none in {list(mpm_deploy.ops.__path__)}",
            "install mpm-deploy where there is a C++ compiler (apt-get install g++), or use "
            "mpm_deploy.ops.label_map",
        )
    _check(scores, size)
    scores = scores.contiguous()
    batch, classes, down, across = scores.shape
    dtype = torch.uint8 if classes <= 256 else torch.int16
    labels = torch.empty(batch, *size, dtype=dtype, device="cpu")  # whatever the default is
    for image, label_map_of_it in zip(scores, labels, strict=True):
        outcome = function(
            image.data_ptr(), classes, down, across, *size, label_map_of_it.data_ptr()
        )
        if outcome == _NO_MEMORY:
            raise MemoryError("the native library could not get the memory for a label map")
        if outcome != _DONE:
            raise InputError(f"label map: the native library refuses {scores.shape} at {size}")
    return labels


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
def _load() -> Callable[..., int] | None:
    file = find_library()
    if file is None:
        return None
    try:
        function = ctypes.CDLL(str(file)).mpm_label_map
    except OSError:  # built for another system
        return None
    function.restype = ctypes.c_int
    function.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 5, ctypes.c_void_p]
    entry: Callable[..., int] = function
    return entry
