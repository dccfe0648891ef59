"""Open no second time what a process has open: its weights are in memory once.

`cpp_runner/backends/opened_once.cpp` does the same.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

_T = TypeVar("_T")


class _Opened:
    """What is open in this process and in use, and who is opening."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_key: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()


_opened = _Opened()


def opened_once(payload_sha256: str, part: str, open_it: Callable[[], _T]) -> _T:
    """Return what is open of a payload, or open it; it stays open as long as somebody has it.

    Whoever asks while something is being opened waits. A forked child begins with nothing: what its
    parent's threads were at when it was forked would never be done there.

    Args:
        payload_sha256: As the manifest has it; without one, as while a file is being built, each
            opens its own.
        part: What of the payload, and how.
        open_it: Opens it, and raises what it likes.
    """
    if not payload_sha256:
        return open_it()
    key = (payload_sha256, part)
    with _opened.lock:
        found: _T | None = _opened.by_key.get(key)
        if found is None:
            found = _opened.by_key[key] = open_it()
        return found


def _begin_with_nothing() -> None:
    global _opened
    _opened = _Opened()


os.register_at_fork(after_in_child=_begin_with_nothing)
