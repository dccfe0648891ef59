"""Bound how many images are in a server at once: who comes past that is told so at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from mpm_deploy.errors import InputError
from mpm_deploy.serve.refusals import RefusedError, Status


class Places:
    """So many images may be in the server, waiting or being worked on; one thread counts them.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0
        self.closed = False
        self._in_hand: set[asyncio.Task[Any]] = set()
        self._cut_off: set[asyncio.Task[Any]] = set()

    def close(self) -> None:
        """Let no request in any more; those that are in stay until they are done."""
        self.closed = True

    def cut_off(self) -> None:
        """Refuse the requests that are still in: each is told so where it waits."""
        self._cut_off |= self._in_hand
        for request in self._in_hand:
            request.cancel()

    @property
    def refused_late(self) -> int:
        """The number of requests that were cut off."""
        return len(self._cut_off)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Let a request in, with one image, until the block ends; its task holds the place.

        Raises:
            RefusedError: There is no room now, or the server is stopping.
        """
        if self.closed:
            raise _stopping()
        request = cast(asyncio.Task[Any], asyncio.current_task())
        with self._hold(1):
            self._in_hand.add(request)
            try:
                yield
            except asyncio.CancelledError:
                if request not in self._cut_off:  # its client has gone
                    raise
                request.uncancel()  # it goes on, to say so
                raise _stopping() from None
            finally:
                self._in_hand.discard(request)

    @contextmanager
    def bring(self, others: int) -> Iterator[None]:
        """Let the other images of a request in, until the block ends.

        Raises:
            InputError: The request has more images than there are places in all.
            RefusedError: There is no room now.
        """
        if 1 + others > self.count:
            raise InputError(
                f"expected at most {self.count} images in one request, got {1 + others}",
                "send them in several requests",
            )
        with self._hold(others):
            yield

    @contextmanager
    def _hold(self, images: int) -> Iterator[None]:
        if self.taken + images > self.count:
            raise RefusedError(
                Status.FULL,
                f"this server has {self.taken} images in hand, and room for {self.count}",
                "send it again in a second, and later each time",
            )
        self.taken += images
        try:
            yield
        finally:
            self.taken -= images


def _stopping() -> RefusedError:
    return RefusedError(Status.UNAVAILABLE, "this server is stopping", "send it to another one")
