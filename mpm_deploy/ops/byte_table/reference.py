"""Apply a function of one byte, as a table of what it gives for each: the truth."""

from torch import Tensor


def look_up(values: Tensor, table: Tensor) -> Tensor:
    """Replace each byte by what the table holds for it.

    Args:
        values: ``(T, M)`` uint8.
        table: ``(256,)`` uint8.

    Returns:
        ``table[values]``, of the shape of ``values``.
    """
    return table[values.long()]
