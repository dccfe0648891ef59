"""Quote what came from outside in a message: short, however long and however deep it is.

`cpp_runner/support/quoting.cpp` does the same. What a terminal would obey is for the CLI to escape.
"""

import reprlib

LONGEST = 200  # characters of a text that is quoted
LONGEST_VALUE = 60


class _Repr(reprlib.Repr):
    """Looks at a few items of a few levels: one list that is in itself many times is shown too."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = LONGEST_VALUE

    def repr_int(self, x: int, level: int) -> str:
        """Say how long a number is that Python refuses to write out."""
        bits = x.bit_length()
        return repr(x) if bits <= LONGEST_VALUE * 3 else f"a whole number of {bits} bits"


def shown(value: object) -> str:
    """Return how Python writes a value, cut after `LONGEST_VALUE` characters."""
    return shortened(_Repr().repr(value), LONGEST_VALUE)


def shortened(text: object, longest: int = LONGEST) -> str:
    """Return a text, cut after so many characters."""
    whole = str(text)
    return whole if len(whole) <= longest else f"{whole[: longest - 3]}..."
