"""Take numbers that callers pass: counts, and the numbers of things."""

import math
import numbers
import operator
from typing import Any

from mpm_deploy.errors import InputError

_MOST = 2**31 - 1  # what C++ counts with, and torch its threads


def whole_number(name: str, value: Any, least: int = 1, most: int = _MOST) -> int:
    """Return a whole number as Python's own ``int``.

    Args:
        name: What the message calls it, as ``"batch_size"``.
        value: An ``int``, or another library's integer, as NumPy's.
        least: The smallest that will do.
        most: The largest.

    Raises:
        InputError: A fraction, a bool, text or anything else; or a number out of range.
    """
    number = integer(name, value)
    if not least <= number <= most:
        wanted = f"{least} or more" if number < least else f"{most} at most"
        got = number if abs(number) < 10**100 else f"one of {number.bit_length()} bits"
        raise InputError(f"{name}: expected {wanted}, got {got}")
    return number


def whole_number_or_none(name: str, value: Any, least: int = 1, most: int = _MOST) -> int | None:
    """Return None as it is, and anything else as `whole_number` does."""
    return None if value is None else whole_number(name, value, least, most)


def whole_numbers(name: str, values: Any, least: int = 1) -> tuple[int, ...]:
    """Return one or more whole numbers, each as `whole_number` does."""
    taken = tuple(whole_number(name, value, least) for value in integers(name, values))
    if not taken:
        raise InputError(f"{name}: expected one or more, got none")
    return taken


def integer(name: str, value: Any) -> int:
    """Return a whole number of any size, below 0 too.

    Raises:
        InputError: It is none.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise InputError(f"{name}: expected a whole number, got {value!r}")
    return number


def integers(name: str, values: Any) -> tuple[int, ...]:
    """Return a list, an array or the like of whole numbers, each as `integer` does.

    Raises:
        InputError: Of what is no list, or of one of its values.
    """
    try:
        listed = list(values)
    except TypeError:
        raise InputError(f"{name}: expected a list, got {values!r}", "as in (2, 5)") from None
    return tuple(integer(f"{name}[{index}]", value) for index, value in enumerate(listed))


def finite_number(name: str, value: Any) -> float:
    """Return a number, whole or not.

    Raises:
        InputError: NaN, infinity, a bool, text or anything else.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"{name}: expected a number, got {value!r}")
    return float(value)
