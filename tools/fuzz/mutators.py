"""Mutate inputs: any bytes, and formats by their parts, so that damage goes past the checksums."""

import copy
import io
import json
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

from mpm_deploy.artifact.archive import MANIFEST
from tools.fuzz.make_corpus import Records, pack, payload_sha256, png_chunk

T = TypeVar("T")

_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
_NUMBERS = (0, 1, 2, 7, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 256, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63)),
    *(2**64, 10**30, 0.5, -0.0, 1e-320, 1e308, float("inf"), float("nan")),
    *("", "a", "\0", "\x1b[31m", "\ud800", "é😀", "x" * 300, "0" * 64),
    *("resize", "slide", "slide_evenly"),
    *([], {}, [[]], [0, 0], [0.5] * 3, {"": None}, {"a": {"a": {}}}),
)
_TEXTS = (
    *("NaN", "-Infinity", "1e999", "-0", "00", "1" * 400, "9" * 5000, "0x1F", "1_000", "true"),
    *("null", '""', '"\\ud800"', '"\\u0000"', "{}", "[]", "[" * 70, "[" * 3000, '{"a":' * 70),
    *("\ufeff", "\x1b", "\t", "=", ":", "#", "---", "&a", "*a", "<<: *a", "!!python/tuple"),
    *("!!binary", "? ", "|", "2026-11-31", "2026-01-01T25:61:00", "'''", '"""', "a.b.c", "\\"),
)
_RECORD_NAMES = (
    *(
        "",
        ".",
        "..",
        "../up",
        "/top",
        "a/../../up",
        "a//b",
        "C:\\a",
        "a\\b",
        "a\0b",
        "é",
        "\x1b[31m",
    ),
    *("version", "data.pkl", "code/model.py", "data/0", MANIFEST, "x" * 300),
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_PNG_NAMES = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"zTXt", b"abCD", b"ABCD")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """Flip, set, drop, repeat, insert or cut bytes, once to three times."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        random.choice(_DAMAGES)(random, changed)
    return bytes(changed)


def mutate_jpeg(random: Random, data: bytes) -> bytes:
    """Damage any bytes, or one segment, whose length stays true; drop, repeat or move some."""
    if random.random() < 0.4:
        return mutate_bytes(random, data)
    starts = [match.start() for match in _JPEG_MARKER.finditer(data)]
    parts = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    return b"".join(_rearrange(random, parts, _damage_segment))


def mutate_png(random: Random, data: bytes) -> bytes:
    """Damage a chunk, or the rows that are packed in it; drop, repeat or move some."""
    chunks = _rearrange(random, _png_chunks(data), _damage_chunk)
    whole = data[:8] + b"".join(png_chunk(name, content) for name, content in chunks)
    return whole if random.random() < 0.9 else mutate_bytes(random, whole)


def mutate_json(random: Random, data: bytes) -> bytes:
    """Swap values, drop and add keys; at times damage the text."""
    value = json.loads(data)
    for _ in range(random.randint(0, 2)):
        value = _change_value(random, value)
    text = json.dumps(value).encode()
    chance = random.random()
    if chance < 0.2:
        return _swap_number(random, text)
    return mutate_text(random, text) if chance < 0.4 else text


def mutate_archive(random: Random, data: bytes) -> bytes:
    """Change records, the manifest's hash being true again; at times damage the zip itself."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = [(name.partition("/")[2], archive.read(name)) for name in archive.namelist()]
    chance = random.random()
    if chance < 0.4:
        return mutate_bytes(random, data)
    if chance < 0.7:
        records = _rearrange(random, records, _damage_record)
    records = [_with_true_hash(random, record, records) for record in records]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two records of one name
        packed = pack(records, random.choice(_METHODS))
    return packed if random.random() < 0.8 else mutate_bytes(random, packed)


def mutate_text(random: Random, data: bytes) -> bytes:
    """Drop, repeat or move lines, put a word of meaning somewhere, or damage any bytes."""
    chance = random.random()
    if chance < 0.3:
        return b"\n".join(_rearrange(random, data.split(b"\n"), mutate_bytes))
    if chance < 0.5:
        return mutate_bytes(random, data)
    word = random.choice(_TEXTS).encode("utf-8", "surrogatepass")
    if chance < 0.75:
        return _swap_number(random, data, word)
    at = random.randrange(len(data) + 1)
    return data[:at] + word + data[at:]


# --- any bytes ---


def _flip(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice(_BYTES)


def _set_number(random: Random, data: bytearray) -> None:
    if data:
        number = struct.pack(random.choice(("<I", ">I")), random.choice(_NUMBERS))
        number = number if random.random() < 0.5 else number[-2:]
        at = random.randrange(len(data))
        data[at : at + len(number)] = number


def _drop(random: Random, data: bytearray) -> None:
    start, end = _range(random, data)
    del data[start:end]


def _repeat(random: Random, data: bytearray) -> None:
    start, end = _range(random, data)
    data[end:end] = data[start:end] * random.choice((1, 1, 2, 50))


def _insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randint(1, 8))


def _move(random: Random, data: bytearray) -> None:
    start, end = _range(random, data)
    part = data[start:end]
    del data[start:end]
    at = random.randrange(len(data) + 1)
    data[at:at] = part


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data) + 1) :]


_DAMAGES: tuple[Callable[[Random, bytearray], None], ...] = (
    *(_flip, _flip, _flip, _set, _set, _set_number, _set_number),
    *(_drop, _repeat, _insert, _move, _cut),
)


def _range(random: Random, data: bytearray) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + 2 ** random.randrange(7))


def _rearrange(random: Random, parts: list[T], damage: Callable[[Random, T], T]) -> list[T]:
    """Damage a part, drop it, repeat it or move it."""
    parts = list(parts)
    if not parts:
        return parts
    at = random.randrange(len(parts))
    what = random.randrange(8)
    if what == 0:
        del parts[at]
    elif what == 1:
        parts[at:at] = [parts[at]] * random.choice((1, 1, 1, 30))
    elif what == 2:
        parts.insert(random.randrange(len(parts)), parts.pop(at))
    else:
        parts[at] = damage(random, parts[at])
    return parts


# --- images ---


def _damage_segment(random: Random, segment: bytes) -> bytes:
    """segment: marker (2 bytes), length (2), payload; behind a start of scan, its data."""
    if random.random() < 0.3:
        return segment[:1] + bytes([random.randrange(0xC0, 0xFF)]) + segment[2:]
    length = int.from_bytes(segment[2:4], "big")
    payload = mutate_bytes(random, segment[4 : 2 + length])
    return (
        segment[:2]
        + struct.pack(">H", (len(payload) + 2) & 0xFFFF)
        + payload
        + segment[2 + length :]
    )


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _damage_chunk(random: Random, chunk: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, content = chunk
    chance = random.random()
    if chance < 0.2:
        return random.choice(_PNG_NAMES), content
    rows = _unpacked(content) if name == b"IDAT" and chance < 0.7 else None
    if rows is None:
        return name, mutate_bytes(random, content)
    packer = zlib.compressobj(random.randrange(10), wbits=random.randint(9, 15))
    return name, packer.compress(mutate_bytes(random, rows)) + packer.flush()


def _unpacked(content: bytes) -> bytes | None:
    """Return a PNG's rows; None of a chunk that holds a part of them."""
    try:
        return zlib.decompress(content)
    except zlib.error:
        return None


# --- documents ---


def _change_value(random: Random, value: Any) -> Any:
    """Change one value in a tree, somewhere."""
    if isinstance(value, dict | list) and value and random.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = random.choice(keys)
        chance = random.random()
        if chance < 0.05:
            del value[key]
        elif chance < 0.1 and isinstance(value, dict):
            value[random.choice(("", "a", "format", "\ud800"))] = _some_value(random)
        elif chance < 0.1:
            value.insert(key, _some_value(random))
        else:
            value[key] = _change_value(random, value[key])
        return value
    return _some_value(random)


def _some_value(random: Random) -> Any:
    return copy.deepcopy(random.choice(_VALUES))  # it may be changed in its turn


def _swap_number(random: Random, text: bytes, word: bytes = b"") -> bytes:
    numbers = list(_NUMBER.finditer(text))
    if not numbers:
        return text
    number = random.choice(numbers)
    word = word or str(random.choice(_NUMBERS)).encode()
    return text[: number.start()] + word + text[number.end() :]


# --- archives ---


def _damage_record(random: Random, record: tuple[str, bytes]) -> tuple[str, bytes]:
    name, content = record
    if random.random() < 0.5:
        return random.choice(_RECORD_NAMES), content
    return name, mutate_bytes(random, content)


def _with_true_hash(
    random: Random, record: tuple[str, bytes], records: Records
) -> tuple[str, bytes]:
    name, content = record
    try:
        manifest = json.loads(content) if name == MANIFEST else None
    except ValueError:
        return record
    if not isinstance(manifest, dict):
        return record
    manifest["payload_sha256"] = payload_sha256(records)
    text = json.dumps(manifest).encode()
    return name, mutate_json(random, text) if random.random() < 0.5 else text
