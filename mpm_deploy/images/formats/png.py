"""Decode PNG of every color type and depth; alpha, gamma and color profiles are dropped.

signature | IHDR, (PLTE), .. | IDAT, IDAT, .. | .. | IEND

Only the header and the rows are handed on, the rows unpacked: palette and eXIf are read here, and
what is wrong with the packed data is found here, by the rules of `cpp_runner/images/formats/`.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats.exif import read_orientation
from mpm_deploy.images.formats.lazy_file import LazyFile
from mpm_deploy.images.formats.raster import (
    BROKEN,
    ENDS_EARLY,
    Admit,
    Pixels,
    Raster,
    Samples,
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
_PIECE = 1 << 16  # bytes of rows that are unpacked at once
_FED = 1 << 14  # bytes of packed data that are given to zlib at once: it copies what it leaves
_MOST_SURPLUS = 1 << 20  # behind the rows: some writers pack more than there are
_MOST_CHUNKS = 100_000  # writers pack 8,192 bytes and more into each
_TOO_MANY = f"PNG of more than {_MOST_CHUNKS:,} chunks is not read"
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
    data: bytes | memoryview

    def __bytes__(self) -> bytes:
        content = self.name + self.data
        return struct.pack(">I", len(self.data)) + content + struct.pack(">I", zlib.crc32(content))


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


def read(data: bytes, admit: Admit = check_size) -> Raster:
    """Decode a whole PNG file; of an animation, the default image.

    Raises:
        ImageError: Too large, cut off, or broken.
    """
    chunks = list(_chunks(data))
    header = _header(chunks, admit)
    palette = _palette(chunks) if header.color == _PALETTE else None
    pixels = _decode(chunks, header, lambda samples: _to_rgb(samples, header, palette))
    return Raster(pixels, _orientation(chunks))


def orientation(data: bytes) -> int:
    """Return the EXIF orientation that a PNG file names, 1 to 8.

    Raises:
        ImageError: It is cut off or broken.
    """
    return _orientation(list(_chunks(data)))


def read_numbers(data: bytes) -> Samples:
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
    samples = _decode(chunks, header, lambda samples: samples)
    if header.color == _GRAY and header.depth in (2, 4):
        return samples // _GRAY_STEPS[header.depth]
    return samples.astype(np.uint8) if samples.dtype == np.bool_ else samples


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield every chunk up to IEND whose checksum holds; only an optional one may fail it."""
    view = memoryview(data)
    position = len(MAGIC)
    name = b""
    count = 0
    while name != b"IEND":
        count += 1
        if count > _MOST_CHUNKS:
            raise ImageError(_TOO_MANY, "save it anew")
        if position + 12 > len(data):
            raise ImageError(ENDS_EARLY)
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ImageError(ENDS_EARLY)
        whole = view[position:end]
        name = bytes(whole[4:8])
        critical = not name[0] & 0x20
        sound = zlib.crc32(whole[4:-4]) == int.from_bytes(whole[-4:], "big")
        if critical and not (sound and name in _CRITICAL):
            raise ImageError("broken PNG chunk")
        if sound:
            yield _Chunk(name, whole[8:-4])
        position = end


def _header(chunks: list[_Chunk], admit: Admit = check_size) -> _Header:
    first = chunks[0]
    if first.name != b"IHDR" or len(first.data) != 13:
        raise ImageError("broken PNG header")
    width, height, depth, color, *methods = struct.unpack(">IIBBBBB", first.data)
    admit(width, height)
    known = depth in _DEPTHS.get(color, ()) and methods in ([0, 0, 0], [0, 0, 1])
    if not known or any(chunk.name == b"IHDR" for chunk in chunks[1:]):
        raise ImageError("broken PNG header")
    return _Header(width, height, depth, color, interlaced=methods[2] == 1)


def _palette(chunks: list[_Chunk]) -> Pixels:
    """Read the palette ``(256, 3)``; colors that the file does not name are black."""
    stored = _first(chunks, b"PLTE")
    if not stored or len(stored) % 3 or len(stored) > 3 * 256:
        raise ImageError("broken PNG palette")
    colors = np.frombuffer(stored.ljust(3 * 256, b"\0"), dtype=np.uint8)
    return colors.reshape(256, 3)


def _orientation(chunks: list[_Chunk]) -> int:
    return read_orientation(_first(chunks, b"eXIf"))


def _first(chunks: list[_Chunk], name: bytes) -> bytes:
    """Return the data of the first chunk of that name; none where there is no such chunk."""
    return next((bytes(chunk.data) for chunk in chunks if chunk.name == name), b"")


def _decode(
    chunks: list[_Chunk], header: _Header, convert: Callable[[Samples], Samples]
) -> Samples:
    """Decode to what is made of ``(rows, width)`` or ``(rows, width, channels)``.

    These are of 16 bits only for gray.
    """
    stream = LazyFile(_stream(chunks, header))
    samples = load_samples(PngImageFile, stream, convert)
    stream.read_on()
    return samples


def _stream(chunks: list[_Chunk], header: _Header) -> Iterator[bytes]:
    """Yield a PNG file with nothing but rows, which are not packed."""
    packer = zlib.compressobj(level=0)
    yield MAGIC + bytes(chunks[0])
    packed = [chunk.data for chunk in chunks if chunk.name == b"IDAT"]
    for rows in _unpack(packed, header.stored_size):
        yield bytes(_Chunk(b"IDAT", packer.compress(rows)))
    yield bytes(_Chunk(b"IDAT", packer.flush())) + bytes(_Chunk(b"IEND", b""))


def _unpack(packed: list[bytes | memoryview], size: int) -> Iterator[bytes]:
    """Yield the rows, still filtered. Pillow would fill up what is missing, and say nothing.

    Raises:
        ImageError: They are not ``size`` bytes, or more with little surplus; or the packed data is
            broken, as its checksum tells too, or cut off. What lies behind it is not looked at.
    """
    if not any(packed):
        raise ImageError("PNG without image data")
    left = size
    for rows in _inflate(packed):
        if left > 0:
            yield rows[:left]
        left -= len(rows)
        if left < -_MOST_SURPLUS:
            raise ImageError(BROKEN)
    if left > 0:
        raise ImageError(BROKEN)


def _inflate(packed: list[bytes | memoryview]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for fed in (data[at : at + _FED] for data in packed for at in range(0, len(data), _FED)):
        rest, rows = fed, b""
        while not inflater.eof and (rest or len(rows) == _PIECE):
            try:
                rows = inflater.decompress(rest, _PIECE)
            except zlib.error as error:
                raise ImageError(BROKEN) from error
            yield rows
            rest = inflater.unconsumed_tail
        if inflater.eof:
            return
    raise ImageError(BROKEN)


def _to_rgb(samples: Samples, header: _Header, palette: Pixels | None) -> Pixels:
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
