"""Quote what came from outside: short, however long and deep it is, and with nothing to obey in it.

`cpp_runner/support/quoting.cpp` does the same, and `utf8.cpp` beside it.
"""

import reprlib

LONGEST = 200  # characters of a text that is quoted
LONGEST_VALUE = 60

# What a terminal obeys: control characters, and those that turn the direction of what follows.
_OBEYED = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in _OBEYED - {ord("\n"), ord("\t")}
}


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
    """Return a text, cut after so many characters; of bytes that are no text only that."""
    whole = "not a text file" if isinstance(text, UnicodeDecodeError) else str(text)
    return whole if len(whole) <= longest else f"{whole[: longest - 3]}..."


def printable(text: str) -> str:
    """Return a text with all escaped that a terminal obeys, but for new lines and tabs."""
    return text.translate(_ESCAPES)
