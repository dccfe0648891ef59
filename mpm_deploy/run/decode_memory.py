"""Share the memory that decoding takes between the threads that decode."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mpm_deploy.images.formats.raster import Admit, check_size

# At most, with all copies: of a progressive JPEG of four inks, decoded a second time in doubt.
BYTES_A_PIXEL = 20


class DecodeMemory:
    """A budget in bytes: as much as the largest image takes that is decoded at all.

    An image waits until there is room for it. One that is alone always has room, so that none waits
    forever.

    Args:
        max_pixels: Pixels of the largest image.
    """

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self._budget = max_pixels * BYTES_A_PIXEL
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def room(self) -> Iterator[Admit]:
        """Yield what lets images in; those keep their room until the block ends."""
        taken = 0

        def admit(width: int, height: int) -> None:
            nonlocal taken
            check_size(width, height, self.max_pixels)
            taken += self._take(width * height * BYTES_A_PIXEL)

        try:
            yield admit
        finally:
            self._give_back(taken)

    def _take(self, size: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + size <= self._budget)
            self._taken += size
        return size

    def _give_back(self, size: int) -> None:
        with self._changed:
            self._taken -= size
            self._changed.notify_all()
