"""Take whole numbers that callers pass: counts, and the numbers of things."""

import operator
from typing import Any

from mpm_deploy.errors import InputError

_MOST = 2**31 - 1  # what C++ counts with, and torch its threads


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number as Python's own ``int``.

    Args:
        name: What the message calls it, as ``"batch_size"``.
        value: An ``int``, or another library's integer, as NumPy's.
        least: The smallest that will do.

    Raises:
        InputError: A fraction, a bool, text or anything else; or a number out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise InputError(f"{name}: expected a whole number, got {value!r}")
    if not least <= number <= _MOST:
        wanted = f"{least} or more" if number < least else f"{_MOST} at most"
        raise InputError(f"{name}: expected {wanted}, got {number}")
    return number


def whole_number_or_none(name: str, value: Any, least: int = 1) -> int | None:
    """Return None as it is, and anything else as `whole_number` does."""
    return None if value is None else whole_number(name, value, least)
