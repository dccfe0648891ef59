"""What a forked child says."""

import os
import signal
import warnings
from collections.abc import Callable


def in_child(work: Callable[[], str]) -> str:
    """Fork, and return what the child says; one that says nothing for 30 seconds is killed."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
        child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001 - told in the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read().decode()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child hung"
    return said
