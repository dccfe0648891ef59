"""A file that never is in memory as a whole: it is made while it is read."""

from collections.abc import Iterator


class LazyFile:
    """A file for reading once from its start to its end, as Pillow's plugins read.

    Args:
        pieces: What it holds, made piece by piece as the reading comes to it. What making a piece
            raises, reading raises.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ready = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        """Read so many bytes, or at the end what is left."""
        while len(self._ready) < size and (piece := next(self._pieces, None)) is not None:
            self._ready += piece
        taken, self._ready = self._ready[:size], self._ready[size:]
        self._position += len(taken)
        return taken

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position

    def seek(self, position: int) -> None:
        """Stay where the reading is.

        Raises:
            OSError: Another position.
        """
        if position != self._position:
            raise OSError("this file is read once")

    def read_on(self) -> None:
        """Make what is left, to see that it can be made."""
        for _ in self._pieces:
            pass
