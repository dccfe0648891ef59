"""Open no second time what a process has open: its weights are in memory once.

    Runner ─▶ OpenedOnce ─┐
                          ├─▶ what is open, and the calls to it that are under way
    Runner ─▶ OpenedOnce ─┘

A forked child goes on with what was open, in memory that it shares with its parent. Only what a
thread was calling at that moment it opens anew: that thread is not there to give back what it took.

`cpp_runner/backends/opened_once.cpp` does the same.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

_T = TypeVar("_T")


class _Shared(Generic[_T]):
    """Something open, for all that opened the same."""

    def __init__(self, opened: _T) -> None:
        self.opened = opened
        # One entry for each that is under way: threads add and remove them without a lock, which
        # a fork might leave locked.
        self.calls: list[None] = []
        self.is_left_behind = False


class _Process:
    """What is open in this process and in use, and who is opening."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_key: WeakValueDictionary[tuple[str, str], _Shared[Any]] = WeakValueDictionary()


_here = _Process()


class OpenedOnce(Generic[_T]):
    """What is open of a payload; it stays open as long as somebody has it.

    Whoever asks while something is being opened waits.

    Args:
        payload_sha256: As the manifest has it; without one, as while a file is being built, each
            opens its own.
        part: What of the payload, and how.
        open_it: Opens it, once it has checked the hash, and raises what it likes. May be called
            again, in a forked child.
        check: Checks the hash where somebody else has opened a file of that hash.
    """

    def __init__(
        self, payload_sha256: str, part: str, open_it: Callable[[], _T], check: Callable[[], None]
    ) -> None:
        self._key = (payload_sha256, part)
        self._open_it = open_it
        self._shared, was_open = self._share()
        if was_open:
            check()

    @contextmanager
    def call(self) -> Iterator[_T]:
        """Give what is open in this process, for one call to it.

        Raises:
            Whatever ``open_it`` raises, where this process is a forked child and has to open it.
        """
        if self._shared.is_left_behind:
            self._shared, _ = self._share()
        shared = self._shared
        shared.calls.append(None)
        try:
            yield shared.opened
        finally:
            shared.calls.pop()

    def _share(self) -> tuple[_Shared[_T], bool]:
        """Return what is open, which may be opened first, and whether it was open."""
        payload_sha256, _ = self._key
        if not payload_sha256:
            return _Shared(self._open_it()), False
        with _here.lock:
            found: _Shared[_T] | None = _here.by_key.get(self._key)
            was_open = found is not None
            if found is None:
                found = _here.by_key[self._key] = _Shared(self._open_it())
            return found, was_open


def _begin_in_child() -> None:
    """Leave behind what threads of the parent were calling, and who was opening.

    What they were calling is never freed here, which might wait for them: their calls have it.
    """
    global _here
    parent, _here = _here, _Process()
    for key, shared in list(parent.by_key.items()):
        if shared.calls:
            shared.is_left_behind = True
        else:
            _here.by_key[key] = shared


os.register_at_fork(after_in_child=_begin_in_child)
