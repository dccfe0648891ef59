"""Define a frame of a video or a live source, which becomes pixels when it is asked for them."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from mpm_deploy.images.formats.raster import Admit, Pixels


class Frame:
    """One frame.

    Args:
        source: What it is of, in words.
        index: Its number among the frames that the source gave, from 1.
        time: Seconds since the source's first frame.
        size: ``(height, width)``, before it is turned upright.
        make: What makes its pixels, ``(height, width, 3)`` uint8 RGB, on whatever thread.

    Attributes:
        name: The source and the frame's number, in words.
    """

    def __init__(
        self,
        source: str,
        index: int,
        time: float,
        size: tuple[int, int],
        make: Callable[[], Pixels],
    ) -> None:
        self.name = f"{source}, frame {index}"
        self.index = index
        self.time = time
        self._size = size
        self._make = make

    @cached_property
    def pixels(self) -> Pixels:
        """``(height, width, 3)`` uint8 RGB, upright."""
        return self._make()

    def decode(self, admit: Admit) -> Tensor:
        """Return ``(3, height, width)`` uint8 RGB; a view of `pixels`.

        Raises:
            ImageError: Not admitted, or of colors that cannot be converted.
        """
        height, width = self._size
        admit(width, height)
        return torch.from_numpy(self.pixels).permute(2, 0, 1)
