"""Read JSON from a file of unknown origin, as the C++ reader does: what one refuses, both do.

`cpp_runner/support/strict_json.cpp` has the same grammar. Files that this package itself wrote are
read with less: they may hold NaN, and names of files that are no text.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from mpm_deploy.support.quoting import shortened

DEEPEST = 64  # arrays and objects within one another
TOO_DEEP = f"nested too deep: more than {DEEPEST} arrays and objects within one another"


def read_json(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: No UTF-8 or no JSON, NaN, infinity or a number too large for one, a whole number
            of more than 64 bits, a key that an object has twice, or more than `DEEPEST` arrays and
            objects within one another.
    """

    def parse(text: bytes) -> Any:
        value = json.loads(
            text.decode("utf-8"),
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_unique,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair fails
        return value

    return parsed(parse, text)


def read_own_json(text: bytes | str) -> Any:
    """Return the value of a JSON text that this package wrote, and that may have been changed.

    Raises:
        ValueError: No JSON, or more than `DEEPEST` arrays and objects within one another.
    """
    return parsed(json.loads, text)


def parsed(parse: Callable[[Any], Any], text: object) -> Any:
    """Call a parser, of JSON or TOML, that knows no bounds.

    Raises:
        ValueError: What the parser says, in a few words; or values nested too deep to be handled.
    """
    try:
        value = parse(text)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    except ValueError as error:
        raise ValueError(shortened(error)) from error
    _check_depth(value, DEEPEST)
    return value


def _check_depth(value: object, left: int) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if left == 0 and isinstance(value, dict | list):
        raise ValueError(TOO_DEEP)
    for each in inner:
        _check_depth(each, left - 1)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{shortened(text)} is too large")
    return number


def _whole(text: str) -> int:
    # int() itself refuses thousands of digits, and takes long for fewer
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"{shortened(text)} is out of range: expected whole numbers of 64 bits")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice!r} is there twice")
    return table
