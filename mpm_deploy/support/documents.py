"""Read documents that people and other programs write: no more of one than an honest one has.

Recipes, what weights are for, configurations of trainings. Whatever is wrong with one, so that its
parser or what follows would fail or take minutes, is a ValueError.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from mpm_deploy.support.strict_json import DEEPEST, TOO_DEEP, parsed

LARGEST = 1 << 20  # bytes


def read_document(path: Path, largest: int = LARGEST) -> bytes:
    """Read a file that is small.

    Raises:
        OSError: It cannot be read.
        ValueError: It has more bytes.
    """
    with path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"expected {largest} bytes at most, got more")
    return data


def read_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        ValueError: No TOML, or more than `DEEPEST` tables and lists within one another.
    """
    # A key of many parts takes tomllib a time that is quadratic in them.
    if any(key.count(".") > DEEPEST for key in re.split("[=,\n]", text)):
        raise ValueError(TOO_DEEP)
    tables: dict[str, Any] = parsed(tomllib.loads, text)
    return tables
