"""Take images apart into windows for the model, and put them together again behind it.

loaded    a a a   skipped   b b c        the windows of images a, b, c
batches  [a a] [a skipped b] [b c]       of two windows; what was skipped takes no place
whole          a, skipped      b, c      an image is whole with the batch of its last window
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mpm_deploy.run.outputs import Outputs
from mpm_deploy.run.results import PreparedImage, Result, Skipped, StageTimes, WindowResult


@dataclass(frozen=True, eq=False)
class Window:
    """One window of an image, on its way to the model."""

    loaded: PreparedImage
    index: int

    @property
    def pixels(self) -> Tensor:
        """The pixels of the window, ``(3, H, W)`` uint8."""
        return self.loaded.windows[self.index]


@dataclass(frozen=True, eq=False)
class ScoredBatch:
    """A batch that the model has scored, and what was skipped on the way to it.

    Attributes:
        items: Windows, and among them what was skipped.
        scores: ``(windows, K, h, w)`` on the device; empty where all was skipped.
        merge_maps: ``(windows, M, N)`` on the device, likewise.
        copy_ms: Time it took to copy them to the device.
        scores_ms: Time the model took.
        error: What the model raised; there are no scores then.
    """

    items: list[Window | Skipped]
    scores: Tensor = field(default_factory=partial(torch.empty, 0))
    merge_maps: Tensor = field(default_factory=partial(torch.empty, 0))
    copy_ms: float = 0.0
    scores_ms: float = 0.0
    error: Exception | None = None

    @cached_property
    def windows(self) -> list[Window]:
        """The windows of the batch, without what was skipped."""
        return [item for item in self.items if isinstance(item, Window)]

    @cached_property
    def maps(self) -> NDArray[np.int32]:
        """The merge maps in host memory, ``(windows, M, N)``; copied at the first look."""
        maps: NDArray[np.int32] = self.merge_maps.cpu().numpy()
        return maps

    @cached_property
    def tokens_kept(self) -> list[tuple[int, ...]]:
        """The tokens of each window that are left after each merge."""
        return [tuple(kept) for kept in (self.maps.max(axis=2) + 1).tolist()]


@dataclass(frozen=True, eq=False)
class CompleteImage:
    """An image all of whose windows have been scored.

    Attributes:
        loaded: The image.
        places: For each of its windows the batch it was in, and its number among that batch's.
    """

    loaded: PreparedImage
    places: list[tuple[ScoredBatch, int]]

    @property
    def scores(self) -> Tensor:
        """The scores of the image, ``(windows, K, h, w)`` in the windows' order."""
        parts = [batch.scores[place : place + 1] for batch, place in self.places]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def result(self, outputs: Outputs, labels_ms: float, images: int) -> Result:
        """Make the result of the image from its outputs and its windows' batches.

        Args:
            outputs: What was asked for.
            labels_ms: Time it took to make those of all ``images`` that were whole with it.
            images: How many these are.
        """
        loaded = self.loaded
        batches = dict.fromkeys(batch for batch, _ in self.places)
        copied, scored = self._shares()
        return Result(
            source=loaded.source,
            outputs=outputs,
            windows=self._window_results(),
            stages_ms=StageTimes(
                loaded.decode_ms,
                loaded.fit_ms,
                sum(batch.copy_ms for batch in batches),
                sum(batch.scores_ms for batch in batches),
                labels_ms,
            ),
            share_ms=StageTimes(
                loaded.decode_ms, loaded.fit_ms, copied, scored, labels_ms / images
            ),
            batch=len(self.places[-1][0].windows),
        )

    def _shares(self) -> tuple[float, float]:
        """Return the milliseconds of its batches' copying and scoring that its windows took."""
        batches = [batch for batch, _ in self.places]
        copied = sum(batch.copy_ms / len(batch.windows) for batch in batches)
        return copied, sum(batch.scores_ms / len(batch.windows) for batch in batches)

    def _window_results(self) -> tuple[WindowResult, ...]:
        grid = self.loaded.grid
        corners = [(0, 0)] if grid is None else grid.corners()
        return tuple(
            WindowResult(top, left, batch.tokens_kept[place], batch.maps[place])
            for (top, left), (batch, place) in zip(corners, self.places, strict=True)
        )


def windows_of(
    images: Iterable[PreparedImage | Skipped],
) -> Generator[Window | Skipped, None, None]:
    """Yield every window of every image in turn; what was skipped stays where it is."""
    for item in images:
        if isinstance(item, Skipped):
            yield item
        else:
            yield from (Window(item, index) for index in range(len(item.windows)))


def gather(batches: Iterable[ScoredBatch]) -> Generator[list[CompleteImage | Skipped], None, None]:
    """Yield for each batch the images that are whole with it, and what was skipped, in order.

    Args:
        batches: The windows of `windows_of`, in their order. A batch that completes nothing gives
            nothing. An image is skipped where the model failed on one of its windows.
    """
    places: list[tuple[ScoredBatch, int]] = []  # of the one image that is not whole yet
    for batch in batches:
        done: list[CompleteImage | Skipped] = []
        place = 0
        for item in batch.items:
            if isinstance(item, Skipped):
                done.append(item)
                continue
            places.append((batch, place))
            place += 1
            if len(places) == len(item.loaded.windows):
                done.append(_complete(item.loaded, places))
                places = []
        if done:
            yield done


def _complete(
    loaded: PreparedImage, places: list[tuple[ScoredBatch, int]]
) -> CompleteImage | Skipped:
    failed = (batch.error for batch, _ in places if batch.error is not None)
    error = next(failed, None)
    return CompleteImage(loaded, places) if error is None else Skipped.of(loaded.source, error)
