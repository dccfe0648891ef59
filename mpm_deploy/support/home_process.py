"""Remember which process threads are in."""

import os

from mpm_deploy.errors import InputError


class HomeProcess:
    """The process that threads are in.

    They start at the first use, and a fork leaves them behind: whoever waits for them in the child
    waits for ever.
    """

    def __init__(self) -> None:
        self._process: int | None = None

    def check(self, what: str) -> None:
        """Make this process home, if there is none yet.

        Args:
            what: What was done, to whom, as in ``"this run was begun"``.

        Raises:
            InputError: Home is another process.
        """
        here = os.getpid()
        self._process = self._process or here
        if self._process != here:
            raise InputError(
                f"{what} in another process, and its threads stayed there",
                "open one in this process, after the fork",
            )
