"""Say how many there are of something, as in ``1 label map`` and ``2 label maps``.

`cpp_runner/program/console.cpp` does the same.
"""


def counted(count: int, thing: str) -> str:
    """Return a number with what is counted, in plural unless it is one.

    Args:
        count: How many.
        thing: What one of them is called; its plural has an s behind it.
    """
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
