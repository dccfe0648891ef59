"""Write ZIP archives of any records, also of such as no program writes."""

import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_zip(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as a case has them: ``tests/artifact/cases.json``.

    Args:
        path: The archive.
        records: Each has a ``name`` and its bytes, as ``text`` or ``hex``; what the directory says
            of it is true unless it says ``method``, ``flags``, ``mode``, ``size`` or another.
    """
    file, directory, count = b"", b"", 0
    for record in records:
        name, data = _bytes(record, "name"), _bytes(record, "text")
        common = struct.pack(
            "<5H3L2H",
            20,
            record.get("flags", 0),
            record.get("method", 0),
            0,
            0,
            record.get("checksum", zlib.crc32(data)),
            record.get("packed_size", len(data)),
            record.get("size", len(data)),
            len(name),
            0,
        )
        mode = record.get("mode", 0) << 16
        directory += b"PK\1\2" + struct.pack("<H", 20) + common
        directory += struct.pack("<3H2L", 0, 0, 0, mode, len(file)) + name
        file += b"PK\3\4" + common + (record.get("local_name", "").encode() or name) + data
        count += 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(file), 0)
    path.write_bytes(file + directory + end)


def _bytes(record: Mapping[str, Any], key: str) -> bytes:
    """Return the bytes of a name, or of what is in the record, written as text or in hex."""
    in_hex = record.get("name_hex" if key == "name" else "hex")
    return bytes.fromhex(in_hex) if in_hex else str(record.get(key, "")).encode()
