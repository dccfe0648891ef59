"""Read JSON from a file of unknown origin, as the C++ reader does: what one refuses, both do."""

import json
from typing import Any, NoReturn

DEEPEST = 64  # arrays and objects within one another


def read_json(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: No UTF-8 or no JSON, NaN, infinity or a number too large for one, a key that
            an object has twice, or more than `DEEPEST` arrays and objects within one another.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            parse_constant=_no_number,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair fails
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    _check_depth(value, DEEPEST)
    return value


def _check_depth(value: object, left: int) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if left == 0 and isinstance(value, dict | list):
        raise ValueError(f"more than {DEEPEST} arrays and objects within one another")
    for each in inner:
        _check_depth(each, left - 1)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is there twice")
    return table
