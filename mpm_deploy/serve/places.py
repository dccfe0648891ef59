"""Bound how many images are in a server at once: who comes past that is told so at once."""

from collections.abc import Iterator
from contextlib import contextmanager

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

    def close(self) -> None:
        """Let no request in any more; those that are in stay until they are done."""
        self.closed = True

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Let a request in, with one image, until the block ends.

        Raises:
            RefusedError: There is no room now, or the server is stopping.
        """
        if self.closed:
            raise RefusedError(
                Status.UNAVAILABLE, "this server is stopping", "send it to another one"
            )
        with self._hold(1):
            yield

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
