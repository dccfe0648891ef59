"""Ends a command at a signal as an error ends it: what is finished is kept, the rest is cleared."""

import atexit
import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_TRY_AGAIN = 0.05


class Interruption:
    """Raises `KeyboardInterrupt` in the main thread at the first signal that asks to end.

    Further signals are ignored, to the end of the process: they would cut short what clears away.
    Signals that were ignored before, as under nohup, stay so.

    Attributes:
        exit_code: 128 and the signal's number, as a shell says it; None where none came.
    """

    exit_code: int | None = None

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)  # nothing is left to interrupt
        atexit.register(_ignore)  # when Python leaves there is nothing to interrupt
        if self.exit_code is None:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.exit_code is not None:
            return
        if _is_importing(frame):
            signal.signal(signal.SIGALRM, lambda _, later: self._stop(number, later))
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_TRY_AGAIN)
            return
        self.exit_code = 128 + number
        raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    """Tell whether a module is being imported: what is raised amid that may be lost, or lock up."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _ignore() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
