"""Read the directory of a ZIP archive, of the plain kind that an artifact is.

What other readers of ZIP might take in another way is refused, so that torch, which reads the file
again, finds the same records. `cpp_runner/artifact/zip_directory.cpp` does the same, and
`docs/formats/artifact.md` writes it down. Layouts are those of PKWARE's APPNOTE.TXT, section 4.3.
"""

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mpm_deploy.support.quoting import shown

NO_ZIP = "not an artifact, or cut short"
MOST_RECORDS = 65_535
LEAST_ROOM, MOST_PACKED = 64 << 20, 16  # bytes that any file may unpack to, and how often its own

_STORED, _DEFLATED = 0, 8
_KNOWN_FLAGS = 0x080E  # how hard it was deflated, sizes behind the bytes, a name in UTF-8
_IN_64_BITS = 0xFFFF_FFFF  # stands for a number that the 64-bit extra field has

_PART = 1 << 16  # bytes that are read at once: a cache holds them
_HEADER = struct.Struct("<4s22x2H")  # signature; sizes of name and extra field
_END = struct.Struct("<4s6xH2LH")  # signature, records, directory's size and offset, comment
_END_64 = struct.Struct("<4s28x3Q")  # signature, records, directory's size and offset
_LOCATOR = struct.Struct("<4s4xQ4x")  # signature, where the 64-bit end begins
# Signature, flags, method; CRC-32, packed size, size; sizes of name, extra field and comment;
# mode, offset of the header.
_ENTRY = struct.Struct("<4s4x2H4x3L3H4x2L")


@dataclass(frozen=True)
class Record:
    """Says what a record is and where it lies in the file.

    Args:
        name: With its top folder.
        is_deflated: Whether its bytes are packed by DEFLATE; else they lie there as they are.
        checksum: CRC-32 of its bytes.
        packed_size: How many bytes it takes.
        size: How many bytes it has.
        offset: Where its header begins.
    """

    name: str
    is_deflated: bool
    checksum: int
    packed_size: int
    size: int
    offset: int


def read_directory(file: BinaryIO) -> list[Record]:
    """Read what records there are.

    Raises:
        ValueError: Cut short, not a ZIP archive, or one that no artifact is: says why.
    """
    size = file.seek(0, os.SEEK_END)
    count, start, end = _find_directory(file, size)
    _require(count <= MOST_RECORDS, f"it has {count} records, and {MOST_RECORDS} are the most")
    records = list(_entries(_read(file, start, end - start), count))
    for record in records:
        last = record.offset + _HEADER.size + record.packed_size
        _require(last <= start, f"record {shown(record.name)} ends behind the file's records")
    _check_names([record.name for record in records])
    _check_sizes(records, size)
    return records


def read_record(file: BinaryIO, record: Record) -> Iterator[bytes]:
    """Yield a record's bytes in parts.

    Raises:
        ValueError: Not as many as the directory says, or others.
        zlib.error: Not packed by DEFLATE.
    """
    packed = _packed_parts(file, record)
    checksum, size = 0, 0
    for part in _unpacked_parts(packed) if record.is_deflated else packed:
        checksum = zlib.crc32(part, checksum)
        size += len(part)
        _require(size <= record.size, "it is longer than the directory says")
        yield part
    _require(size == record.size, "it is shorter than the directory says")
    _require(checksum == record.checksum, "its checksum differs")


def _packed_parts(file: BinaryIO, record: Record) -> Iterator[bytes]:
    start = _find_bytes(file, record)
    for at in range(0, record.packed_size, _PART):
        yield _read(file, start + at, min(_PART, record.packed_size - at))


def _unpacked_parts(packed: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for part in packed:
        left = part
        while left and not unpacker.eof:
            yield unpacker.decompress(left, _PART)
            left = unpacker.unconsumed_tail
    yield unpacker.flush()


def _find_bytes(file: BinaryIO, record: Record) -> int:
    """Return where a record's packed bytes begin, if the header before them is its own."""
    name_size: int
    extra_size: int
    signature, name_size, extra_size = _HEADER.unpack(_read(file, record.offset, _HEADER.size))
    own = record.name.encode()
    is_own = signature == b"PK\3\4" and name_size == len(own) and file.read(name_size) == own
    _require(is_own, "its header is not that of the directory")
    return record.offset + _HEADER.size + name_size + extra_size


def _find_directory(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return how many records the directory lists, and where it begins and ends."""
    end = size - _END.size
    _require(end >= 0, NO_ZIP)
    signature, count, length, start, comment = _END.unpack(_read(file, end, _END.size))
    _require(signature == b"PK\5\6" and comment == 0, NO_ZIP)
    locator = end - _LOCATOR.size
    if locator >= 0:
        signature, end_64 = _LOCATOR.unpack(_read(file, locator, _LOCATOR.size))
        if signature == b"PK\6\7":
            _require(end_64 + _END_64.size == locator, "its end is not where it says")
            signature, count, length, start = _END_64.unpack(_read(file, end_64, _END_64.size))
            _require(signature == b"PK\6\6", "its end is not where it says")
            end = end_64
    _require(start + length == end, "its directory is not where it says")
    return int(count), int(start), end


def _entries(data: bytes, count: int) -> Iterator[Record]:
    at = 0
    for _ in range(count):
        _require(at + _ENTRY.size <= len(data), "its directory is cut short")
        signature, flags, method, checksum, *numbers = _ENTRY.unpack_from(data, at)
        packed, size, name_size, extra_size, comment_size, mode, offset = numbers
        name_end = at + _ENTRY.size + name_size
        extra_end = name_end + extra_size
        _require(signature == b"PK\1\2" and extra_end <= len(data), "its directory is damaged")
        name = _text(data[at + _ENTRY.size : name_end])
        size, packed, offset = _in_64_bits((size, packed, offset), data[name_end:extra_end])
        fits = method == _DEFLATED or (method == _STORED and size == packed)
        fits = fits and not flags & ~_KNOWN_FLAGS
        _require(fits, f"record {shown(name)} is not stored or deflated, or is encrypted")
        kind = stat.S_IFMT(mode >> 16)
        _require(kind in (0, stat.S_IFREG), f"record {shown(name)} is a link or no file")
        yield Record(name, method == _DEFLATED, checksum, packed, size, offset)
        at = extra_end + comment_size
    _require(at == len(data), "its directory has more than its records")


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise ValueError("the name of a record is not UTF-8") from error


def _in_64_bits(numbers: tuple[int, int, int], extra: bytes) -> Iterator[int]:
    """Yield a record's numbers, each that is too large for its place from the extra field."""
    places = iter(_extra_field_64(extra))
    for number in numbers:
        large = next(places, None) if number == _IN_64_BITS else number
        if large is None:
            raise ValueError("a size in its directory is missing")
        yield large


def _extra_field_64(extra: bytes) -> Iterator[int]:
    """Yield the numbers of 64 bits that a record's extra fields hold."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        field = extra[at + 4 : at + 4 + size]
        if kind == 1:
            yield from (number for (number,) in struct.iter_unpack("<Q", field[: size // 8 * 8]))
            return
        at += 4 + size


def _check_names(names: list[str]) -> None:
    for name in names:
        parts = name.split("/")
        inside = not any(part in ("", ".", "..") or re.match("[A-Za-z]:", part) for part in parts)
        inside = inside and "\\" not in name and "\0" not in name
        _require(inside, f"record {shown(name)} has a name that leads out of it")
    _require(len(set(names)) == len(names), "two records have one name")
    roots = {name.partition("/")[0] for name in names if "/" in name}
    one_root = len(roots) == 1 and all("/" in name for name in names)
    _require(one_root, "its records do not lie under one folder")


def _check_sizes(records: list[Record], size: int) -> None:
    packed = sum(record.packed_size for record in records)
    _require(packed <= size, "its records lie over one another")
    unpacked = sum(record.size for record in records if record.is_deflated)
    most = LEAST_ROOM + MOST_PACKED * size
    _require(unpacked <= most, f"it unpacks to more bytes than {most}, which are the most")


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    """Return so many bytes from there."""
    data = b""
    if offset >= 0:
        file.seek(offset)
        data = file.read(size)
    _require(len(data) == size, "it is cut short")
    return data


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
