"""Decode JPEG: baseline and progressive, Huffman coded; gray, color and Adobe's inverted CMYK.

SOI | APP0 .. APP15, COM, tables, SOF | SOS, scans .. EOI
      `-- metadata is left out ----'   `-- handed on untouched
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats.exif import read_orientation
from mpm_deploy.images.formats.raster import (
    ENDS_EARLY,
    Pixels,
    Raster,
    check_size,
    gray_to_rgb,
    load_samples,
)

MAGIC = b"\xff\xd8\xff"
SUFFIXES = (".jpg", ".jpeg")

_START_OF_IMAGE = 0xD8
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
_STANDALONE = {0x00, 0x01, *range(0xD0, 0xD8)}  # stuffed byte, TEM, restart markers: no length
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")  # within scans: neither stuffed nor restart
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
_ARITHMETIC_FRAMES = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7}  # lossless, hierarchical
_FRAMES = _HUFFMAN_FRAMES | _ARITHMETIC_FRAMES | _OTHER_FRAMES
_EXIF_SEGMENT = 0xE1
# JFIF (APP0) and Adobe (APP14) decide the color space; the rest says nothing about pixels.
_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int  # of its 0xFF
    payload: bytes
    end: int


def read(data: bytes) -> Raster:
    """Decode a whole JPEG file; of several pictures in one file, the first.

    Raises:
        ImageError: Too large, cut off, broken, or coded in a way that is not read.
    """
    segments = list(_segments(data))
    _check_frame(segments)
    kept = [data[s.start : s.end] for s in segments if s.marker not in _METADATA]
    scans = data[segments[-1].end :]
    pixels = _decode(b"".join([data[:2], *kept, scans]))
    _check_end(scans)
    return Raster(pixels, _orientation(segments))


def orientation(data: bytes) -> int:
    """Return the EXIF orientation that a JPEG file names, 1 to 8.

    Raises:
        ImageError: Its header is cut off or broken.
    """
    return _orientation(list(_segments(data)))


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield the header's segments, the first start of scan included."""
    end = 2
    while True:
        position = start = _after_fill(data, end)
        marker = data[position]
        if marker in _STANDALONE:
            end = position + 1
            continue
        if marker in (_START_OF_IMAGE, _END_OF_IMAGE):
            raise ImageError("broken JPEG header")
        if position + 3 > len(data):
            raise ImageError(ENDS_EARLY)
        (length,) = struct.unpack_from(">H", data, position + 1)
        end = position + 1 + length
        if length < 2:
            raise ImageError("broken JPEG header")
        if end > len(data):
            raise ImageError(ENDS_EARLY)
        yield _Segment(marker, start - 1, data[position + 3 : end], end)
        if marker == _START_OF_SCAN:
            return


def _after_fill(data: bytes, position: int) -> int:
    """Find the next marker's code: markers may stand after any number of 0xFF."""
    position = data.find(0xFF, position)
    while 0 <= position < len(data) and data[position] == 0xFF:
        position += 1
    if not 0 <= position < len(data):
        raise ImageError(ENDS_EARLY)
    return position


def _check_frame(segments: list[_Segment]) -> None:
    frames = [segment for segment in segments if segment.marker in _FRAMES]
    if len(frames) != 1 or len(frames[0].payload) < 6:
        raise ImageError("broken JPEG header")
    marker = frames[0].marker
    if marker in _ARITHMETIC_FRAMES:
        raise ImageError("arithmetic-coded JPEG is not read", "save it Huffman-coded")
    if marker not in _HUFFMAN_FRAMES:
        raise ImageError("lossless or hierarchical JPEG is not read")
    precision, height, width, components = struct.unpack_from(">BHHB", frames[0].payload)
    check_size(width, height)
    if precision != 8 or components not in (1, 3, 4):
        raise ImageError(f"JPEG of {components} components of {precision} bits is not read")


def _check_end(scans: bytes) -> None:
    """Check that the end of image is there: Pillow does without where the last scan is damaged."""
    position = 0
    while found := _MARKER.search(scans, position):
        position = found.end()
        if scans[position - 1] == _END_OF_IMAGE:
            return
        length = int.from_bytes(scans[position : position + 2], "big")
        position += max(length, 2)
    raise ImageError(ENDS_EARLY)


def _orientation(segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.marker == _EXIF_SEGMENT and segment.payload.startswith(b"Exif\0\0"):
            return read_orientation(segment.payload[6:])
    return 1


def _decode(stream: bytes) -> Pixels:
    samples = load_samples(JpegImageFile, stream)
    if samples.ndim == 2:
        return gray_to_rgb(samples)
    return samples if samples.shape[2] == 3 else _cmyk_to_rgb(samples)


def _cmyk_to_rgb(samples: Pixels) -> Pixels:
    """Turn ink into light. Adobe stores ink inverted, so the stored values are already light:

    R = (C' K' + 127) / 255,  C' and K' as stored; the division drops the remainder.
    """
    stored = (255 - samples).astype(np.uint16)  # Pillow has undone the inversion: do it again
    light = (stored[:, :, :3] * stored[:, :, 3:] + 127) // 255  # at most 65,152: fits
    return light.astype(np.uint8)
