"""Free the weights that a library of AOTInductor's brings, once it has copied them.

    library in the temporary folder      memory
    code │ weights                    ─▶ code │ weights │ their copy, which the model reads
    code │ a hole                     ─▶ code │ a hole  │ their copy

Else they would be there twice for as long as the model is open: the copy, and the file, which takes
memory too where temporary files lie in it, and on a disk as long as they are not written.
`cpp_runner/backends/stored_weights.cpp` does the same.
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # fallocate(2)


def free_stored_weights(library: ctypes.CDLL, file: Path) -> None:
    """Make a hole of them in the file of an open library, and so in memory, where that works.

    A build compares what is loaded in this way with the eager model, so that a torch whose models
    read the file's weights themselves would build nothing.

    Args:
        library: Has made its container.
        file: What it was opened from; nobody else may need it.
    """
    with suppress(ValueError, OSError):  # no weights under that name, or no holes in files there
        begin = _address(library, "_binary_constants_bin_start")
        end = _address(library, "_binary_constants_bin_end")
        _make_hole(file, _place_in(file, begin), end - begin)


def _address(library: ctypes.CDLL, symbol: str) -> int:
    return ctypes.addressof(ctypes.c_char.in_dll(library, symbol))


def _place_in(file: Path, address: int) -> int:
    """Return which byte of a file is mapped at an address (proc(5), /proc/pid/maps)."""
    mapped = file.stat().st_ino
    for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
        addresses, _, offset, _, inode, *_ = line.split()
        first, last = (int(number, 16) for number in addresses.split("-"))
        if int(inode) == mapped and first <= address < last:
            return int(offset, 16) + address - first
    raise ValueError(f"{file} is not mapped there")


def _make_hole(file: Path, place: int, size: int) -> None:
    descriptor = os.open(file, os.O_WRONLY)
    try:
        ctypes.CDLL(None).fallocate(
            *(descriptor, _KEEP_SIZE | _PUNCH_HOLE),
            *(ctypes.c_int64(place), ctypes.c_int64(size)),
        )
    finally:
        os.close(descriptor)
