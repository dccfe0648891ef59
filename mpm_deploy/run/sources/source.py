"""Define what a source gives."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import ImageLike
from mpm_deploy.run.sources.frame import Frame


@dataclass
class Losses:
    """Counts what a source did not give.

    Attributes:
        dropped: Frames of a live source that a newer one took the place of.
        broken: Frames that could not be decoded.
        reconnects: How often a live source that broke was opened again.
    """

    dropped: int = 0
    broken: int = 0
    reconnects: int = 0


@dataclass(eq=False)
class Source(ABC):
    """Images or frames in order, read lazily and once.

    Attributes:
        name: What it is, in words; no password is in it.
        total: How many there will be, where that is known.
        live: Whether they are of now: no more than one waits.
        has_frames: Whether these are frames, and no files.
        losses: What has been lost so far.
    """

    name: str
    total: int | None = None
    live: bool = False
    has_frames: bool = True
    losses: Losses = field(default_factory=Losses)
    _is_over: bool = field(default=False, init=False)

    @abstractmethod
    def __iter__(self) -> Iterator[ImageLike | Frame]:
        """Yield what a Runner takes.

        Raises:
            InputError: Nothing was in it, or it broke for good; what came before is given first.
        """

    def close(self) -> None:
        """Let go of what is open. More calls do nothing."""
        self._is_over = True

    def _begin(self) -> None:
        """Begin to read what can be read once.

        Raises:
            InputError: It was read before, or is closed.
        """
        if self._is_over:
            raise InputError(
                f"{self.name}: it was read already, or closed, and is read once", "open it again"
            )
        self._is_over = True

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
