"""Keep what a library says while it works, for the error where it fails.

`cpp_runner/backends/heard.hpp` does the same.
"""

_TOLD = 4


class Heard:
    """What was said since an operation began: a cause comes first, and what failed by it after.

    Threads may call it at once: none waits for another, and what one says twice is no harm.
    """

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._warnings: list[str] = []

    def begin(self) -> None:
        """Forget what was said of earlier operations."""
        self._errors, self._warnings = [], []

    def hear(self, message: str, *, is_error: bool) -> None:
        """Keep a message, if it is one of the first."""
        kept = self._errors if is_error else self._warnings
        if len(kept) < _TOLD:
            kept.append(message)

    def said(self) -> str:
        """Return the errors, or, where none was told of, the warnings; and forget both.

        Where CUDA cannot start, the reason is a warning.
        """
        told = self._errors or self._warnings
        self.begin()
        return "; ".join(told) or "it gives no reason"
