"""Decode PNG of every color type and depth; alpha, gamma and color profiles are dropped.

signature | IHDR, (PLTE), .. | IDAT, IDAT, .. | .. | IEND
only IHDR, IDAT and IEND are handed on; palette and eXIf are read here
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats.exif import read_orientation
from mpm_deploy.images.formats.raster import (
    BROKEN,
    ENDS_EARLY,
    Pixels,
    Raster,
    check_size,
    gray_to_rgb,
    load_samples,
)

MAGIC = b"\x89PNG\r\n\x1a\n"
SUFFIXES = (".png",)

_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {
    _GRAY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GRAY_ALPHA: (8, 16),
    _RGB_ALPHA: (8, 16),
}
_CHANNELS = {_GRAY: 1, _RGB: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _RGB_ALPHA: 4}
_GRAY_STEPS = {2: 85, 4: 17}  # Pillow spreads few grays over 0 to 255
_SURPLUS_AT_ONCE = 1 << 16
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# First column and row of each pass, and the steps to the next ones.
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    data: bytes

    def __bytes__(self) -> bytes:
        checksum = zlib.crc32(self.name + self.data)
        return (
            struct.pack(">I", len(self.data)) + self.name + self.data + struct.pack(">I", checksum)
        )


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    color: int
    interlaced: bool

    @property
    def stored_size(self) -> int:
        """The size in bytes of all rows, each behind the byte that names its filter."""
        bits = self.depth * _CHANNELS[self.color]
        size = 0
        for left, top, across, down in _ADAM7 if self.interlaced else _WHOLE:
            columns = -((left - self.width) // across)
            rows = -((top - self.height) // down)
            size += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
        return size


def read(data: bytes) -> Raster:
    """Decode a whole PNG file; of an animation, the default image.

    Raises:
        ImageError: Too large, cut off, or broken.
    """
    chunks = list(_chunks(data))
    header = _header(chunks)
    palette = _palette(chunks) if header.color == _PALETTE else None
    samples = _decode(chunks, header)
    return Raster(_to_rgb(samples, header, palette), _orientation(chunks))


def orientation(data: bytes) -> int:
    """Return the EXIF orientation that a PNG file names, 1 to 8.

    Raises:
        ImageError: It is cut off or broken.
    """
    return _orientation(list(_chunks(data)))


def read_numbers(data: bytes) -> NDArray[Any]:
    """Decode a whole PNG file whose pixels are numbers, as in label maps: no colors, no scaling.

    Returns:
        ``(height, width)`` uint8, or uint16 of 16 bits: palette indices, or gray as it is stored.

    Raises:
        ImageError: Too large, cut off, or broken; or its pixels are colors.
    """
    if not data.startswith(MAGIC):
        raise ImageError("not a PNG file")
    chunks = list(_chunks(data))
    header = _header(chunks)
    if header.color not in (_GRAY, _PALETTE):
        raise ImageError("its pixels are colors, not numbers (gray or indexed)")
    samples = _decode(chunks, header)
    if header.color == _GRAY and header.depth in (2, 4):
        return samples // _GRAY_STEPS[header.depth]
    return samples.astype(np.uint8) if samples.dtype == np.bool_ else samples


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield every chunk up to IEND whose checksum holds; only an optional one may fail it."""
    position = len(MAGIC)
    name = b""
    while name != b"IEND":
        if position + 12 > len(data):
            raise ImageError(ENDS_EARLY)
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ImageError(ENDS_EARLY)
        whole = data[position:end]
        name = whole[4:8]
        critical = not name[0] & 0x20
        sound = zlib.crc32(whole[4:-4]) == int.from_bytes(whole[-4:], "big")
        if critical and not (sound and name in _CRITICAL):
            raise ImageError("broken PNG chunk")
        if sound:
            yield _Chunk(name, whole[8:-4])
        position = end


def _header(chunks: list[_Chunk]) -> _Header:
    first = chunks[0]
    if first.name != b"IHDR" or len(first.data) != 13:
        raise ImageError("broken PNG header")
    width, height, depth, color, *methods = struct.unpack(">IIBBBBB", first.data)
    check_size(width, height)
    known = depth in _DEPTHS.get(color, ()) and methods in ([0, 0, 0], [0, 0, 1])
    if not known or any(chunk.name == b"IHDR" for chunk in chunks[1:]):
        raise ImageError("broken PNG header")
    return _Header(width, height, depth, color, interlaced=methods[2] == 1)


def _palette(chunks: list[_Chunk]) -> Pixels:
    """Read the palette ``(256, 3)``; colors that the file does not name are black."""
    stored = next((chunk.data for chunk in chunks if chunk.name == b"PLTE"), b"")
    if not stored or len(stored) % 3 or len(stored) > 3 * 256:
        raise ImageError("broken PNG palette")
    colors = np.frombuffer(stored.ljust(3 * 256, b"\0"), dtype=np.uint8)
    return colors.reshape(256, 3)


def _orientation(chunks: list[_Chunk]) -> int:
    exif = next((chunk.data for chunk in chunks if chunk.name == b"eXIf"), b"")
    return read_orientation(exif)


def _decode(chunks: list[_Chunk], header: _Header) -> NDArray[Any]:
    """Decode to ``(height, width)`` or ``(height, width, channels)``; 16 bits only for gray."""
    rows = _inflate(chunks, header.stored_size)
    pixels = _Chunk(b"IDAT", zlib.compress(rows, level=0))
    stream = MAGIC + bytes(chunks[0]) + bytes(pixels) + bytes(chunks[-1])
    return load_samples(PngImageFile, stream)


def _inflate(chunks: list[_Chunk], size: int) -> bytes:
    """Unpack the rows, still filtered. Pillow would fill up what is missing, and say nothing."""
    packed = b"".join(chunk.data for chunk in chunks if chunk.name == b"IDAT")
    if not packed:
        raise ImageError("PNG without image data")
    inflater = zlib.decompressobj()
    try:
        rows = inflater.decompress(packed, size)
        whole = len(rows) == size and _comes_to_its_end(inflater)
    except zlib.error as error:
        raise ImageError(BROKEN) from error
    if not whole:
        raise ImageError(BROKEN)
    return rows


def _comes_to_its_end(inflater: "zlib._Decompress") -> bool:
    """Tell whether libpng would accept what follows once the rows are there.

    It forgives all but a stream that is cut off.
    """
    try:
        while not inflater.eof:
            surplus = inflater.decompress(inflater.unconsumed_tail, _SURPLUS_AT_ONCE)
            if not surplus and not inflater.unconsumed_tail:
                return inflater.eof
    except zlib.error:
        pass
    return True


def _to_rgb(samples: NDArray[Any], header: _Header, palette: Pixels | None) -> Pixels:
    if palette is not None:
        expanded: Pixels = palette[samples]
        return expanded
    if samples.ndim == 3 and samples.shape[2] >= 3:
        rgb: Pixels = samples[:, :, :3]
        return rgb
    gray = samples if samples.ndim == 2 else samples[:, :, 0]
    if gray.dtype == np.uint16:
        gray = gray >> 8  # Pillow keeps all sixteen bits of plain gray
    elif gray.dtype == np.bool_:
        gray = gray * np.uint8(255)
    return gray_to_rgb(gray.astype(np.uint8))
