"""Passes what one thread reads to another one that uses it."""

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Handover(Generic[Item]):
    """Holds one item, until it is taken.

    Args:
        newest: Whether a newer item takes the place of one that nobody has taken; else who gives
            it waits.

    Attributes:
        dropped: Items whose place was taken.
    """

    def __init__(self, newest: bool) -> None:
        self._newest = newest
        self.dropped = 0
        self._items: list[Item] = []  # one at most
        self._error: Exception | None = None
        self._ended = False
        self._changed = threading.Condition()

    def give(self, item: Item) -> bool:
        """Hand an item over; false where nobody will take any more."""
        with self._changed:
            if not self._newest:
                self._changed.wait_for(lambda: self._ended or not self._items)
            if self._ended:
                return False
            self.dropped += len(self._items)
            self._items = [item]
            self._changed.notify_all()
        return True

    def end(self, error: Exception | None = None) -> None:
        """Give nothing more, and raise an error, if any, behind what has been given."""
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    break
                (item,), self._items = self._items, []
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error
