"""Decode JPEG: baseline and progressive, Huffman coded; gray, color and Adobe's inverted CMYK.

SOI | APP0 .. APP15, COM, tables, SOF | SOS, scans .. | EOI, other pictures, trailers
      `-- metadata is left out ----'   `-- handed on    `-- left out, or missing

Where data is missing libjpeg makes some up, and Pillow says nothing of it; what it makes up for a
scan that is missing differs from version to version. Hence scans are checked (`jpeg_scans`).
And a whole picture does not depend on what follows its data: where there is doubt it is decoded
again, with noise behind it. There is doubt without an end of image, and where the last pixel is the
gray that libjpeg makes up: before an end of image a cut within the last block or line is not seen,
nor one within the last scan of a progressive picture, which then is a little coarser.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats.exif import read_orientation
from mpm_deploy.images.formats.jpeg_scans import check_scans
from mpm_deploy.images.formats.raster import (
    ENDS_EARLY,
    Admit,
    Pixels,
    Raster,
    Samples,
    check_size,
    gray_to_rgb,
    load_samples,
)

MAGIC = b"\xff\xd8\xff"
SUFFIXES = (".jpg", ".jpeg")

_START_OF_IMAGE = 0xD8
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
# Neither a stuffed byte nor TEM nor a restart marker, which have no length.
_HEADER_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")  # within scans
_NEVER_WRITTEN = 16  # zeros: room that a file was given and did not fill
_MOST_SEGMENTS = 10_000  # 600 megabytes of metadata, where each is full
_TOO_MANY = f"JPEG of more than {_MOST_SEGMENTS:,} segments is not read"
_FILL = b"\xff"  # before a marker, any number
_END = bytes([0xFF, _END_OF_IMAGE])
# What might follow the data: noise, and some behind a restart marker; each of the eight that may be
# due goes on at one of these three.
_OTHER_DATA = tuple(
    noise + bytes([0xFF, restart]) + noise
    for restart, factor in ((0xD0, 151), (0xD3, 189), (0xD6, 253))
    for noise in [bytes(factor * i % 254 for i in range(1, 65))]
)
_PROGRESSIVE = 0xC2
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
_ARITHMETIC_FRAMES = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7}  # lossless, hierarchical
_FRAMES = _HUFFMAN_FRAMES | _ARITHMETIC_FRAMES | _OTHER_FRAMES
_EXIF_SEGMENT = 0xE1
# JFIF (APP0) and Adobe (APP14) decide the color space; the rest says nothing about pixels.
_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}
_LEAST_PAYLOAD = {0xE0: 14, 0xEE: 12}


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int  # of its 0xFF
    payload: bytes
    end: int


def read(data: bytes, admit: Admit = check_size) -> Raster:
    """Decode a whole JPEG file; of several pictures in one file, the first.

    Its end of image may be missing, but nothing of the picture.

    Raises:
        ImageError: Too large, cut off, broken, or coded in a way that is not read.
    """
    segments = list(_segments(data))
    frame = _check_frame(segments, admit)
    scans, headers, ended = _scans(data[segments[-1].end :])
    check_scans(frame.payload, [segments[-1].payload, *headers], frame.marker == _PROGRESSIVE)
    kept = [data[s.start : s.end] for s in segments if _is_kept(s)]
    stream = b"".join([data[:2], *kept, scans])
    pixels = _decode(stream + _END)
    if (not ended or _is_made_up(pixels)) and not _is_whole(pixels, stream):
        raise ImageError(ENDS_EARLY)
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
    for _ in range(_MOST_SEGMENTS):
        found = _HEADER_MARKER.search(data, end)
        if found is None:
            raise ImageError(ENDS_EARLY)
        marker = data[found.end() - 1]
        if marker in (_START_OF_IMAGE, _END_OF_IMAGE):
            raise ImageError("broken JPEG header")
        if found.end() + 2 > len(data):
            raise ImageError(ENDS_EARLY)
        (length,) = struct.unpack_from(">H", data, found.end())
        end = found.end() + length
        if length < 2:
            raise ImageError("broken JPEG header")
        if end > len(data):
            raise ImageError(ENDS_EARLY)
        yield _Segment(marker, found.start(), data[found.end() + 2 : end], end)
        if marker == _START_OF_SCAN:
            return
    raise ImageError(_TOO_MANY, "save it anew")


def _check_frame(segments: list[_Segment], admit: Admit) -> _Segment:
    frames = [segment for segment in segments if segment.marker in _FRAMES]
    if len(frames) != 1 or len(frames[0].payload) < 6:
        raise ImageError("broken JPEG header")
    marker = frames[0].marker
    if marker in _ARITHMETIC_FRAMES:
        raise ImageError("arithmetic-coded JPEG is not read", "save it Huffman-coded")
    if marker not in _HUFFMAN_FRAMES:
        raise ImageError("lossless or hierarchical JPEG is not read")
    precision, height, width, components = struct.unpack_from(">BHHB", frames[0].payload)
    admit(width, height)
    if precision != 8 or components not in (1, 3, 4):
        raise ImageError(f"JPEG of {components} components of {precision} bits is not read")
    return frames[0]


def _scans(data: bytes) -> tuple[bytes, list[bytes], bool]:
    """Return the rest of the first picture, its scans' headers, and whether it has an end."""
    headers: list[bytes] = []
    position = 0
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            rest = _without_room(data[position:])
            return data[:position] + rest.rstrip(_FILL), headers, False
        marker = data[found.end() - 1]
        if marker in (_END_OF_IMAGE, _START_OF_IMAGE):
            rest = data[position : found.start()]
            return data[:position] + rest.rstrip(_FILL), headers, marker == _END_OF_IMAGE
        position = found.end()
        length = int.from_bytes(data[position : position + 2], "big")
        if position + max(length, 2) > len(data):
            raise ImageError(ENDS_EARLY)
        if marker == _START_OF_SCAN:
            headers.append(data[position + 2 : position + length])
        position += max(length, 2)
    raise ImageError(_TOO_MANY, "save it anew")


def _without_room(data: bytes) -> bytes:
    """Leave out zeros at the end that no scan wrote; a single one may be a stuffed byte."""
    written = data.rstrip(b"\0")
    if written.endswith(_FILL):
        written = data[: len(written) + 1]
    return written if len(data) - len(written) >= _NEVER_WRITTEN else data


def _is_kept(segment: _Segment) -> bool:
    """Tell whether a segment is handed on; Pillow stumbles over short ones that libjpeg ignores."""
    long_enough = len(segment.payload) >= _LEAST_PAYLOAD.get(segment.marker, 0)
    return segment.marker not in _METADATA and long_enough


def _orientation(segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.marker == _EXIF_SEGMENT and segment.payload.startswith(b"Exif\0\0"):
            return read_orientation(segment.payload[6:])
    return 1


def _decode(stream: bytes) -> Pixels:
    return load_samples(JpegImageFile, BytesIO(stream), _to_rgb)


def _to_rgb(samples: Samples) -> Pixels:
    if samples.ndim == 2:
        return gray_to_rgb(samples)
    return samples if samples.shape[2] == 3 else _cmyk_to_rgb(samples)


def _is_whole(pixels: Pixels, stream: bytes) -> bool:
    """Tell whether a picture stays as it is, whatever follows its data."""
    return all(np.array_equal(pixels, _decode(stream + other + _END)) for other in _OTHER_DATA)


def _is_made_up(pixels: Pixels) -> bool:
    """Tell whether the last pixel may be what libjpeg gives for a block that is missing.

    All its samples are 128, which of CMYK makes 64.
    """
    return tuple(pixels[-1, -1]) in ((128, 128, 128), (64, 64, 64))


def _cmyk_to_rgb(samples: Pixels) -> Pixels:
    """Turn ink into light. Adobe stores ink inverted, so the stored values are already light:

    R = (C' K' + 127) / 255,  C' and K' as stored; the division drops the remainder.
    """
    stored = (255 - samples).astype(np.uint16)  # Pillow has undone the inversion: do it again
    light = (stored[:, :, :3] * stored[:, :, 3:] + 127) // 255  # at most 65,152: fits
    return light.astype(np.uint8)
