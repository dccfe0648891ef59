"""Turn an image of any size into what the model takes, in the ways that ``input.fit`` names.

"resize"         the whole image as one window, antialiased; the aspect ratio is not kept
"slide"          the image at its aspect ratio, windows of the input's size over all of it
"slide_evenly"   the same, with the image scaled so that windows lie along one axis alone
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from mpm_deploy.artifact import InputInfo
from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.images.decode import fit, scale
from mpm_deploy.images.formats import MAX_PIXELS
from mpm_deploy.images.windows import (
    LARGEST_SIDE,
    Size,
    WindowGrid,
    lay_windows,
    lay_windows_evenly,
    scaled_size,
    size_for_windows,
    size_of_windows,
)


@dataclass(frozen=True, eq=False)
class ImageWindows:
    """The windows of an image, as the model takes them.

    Attributes:
        windows: Each ``(3, H, W)`` uint8, of the model's input size; they may share memory.
        size: Size of the resized image.
        grid: Where the windows lie on it; None where the one window is the whole image.
    """

    windows: tuple[Tensor, ...]
    size: Size
    grid: WindowGrid | None = None


class ImageFit(ABC):
    """One way to turn images into windows, with its measures."""

    @abstractmethod
    def __call__(self, image: Tensor) -> ImageWindows:
        """Fit an image ``(3, height, width)`` uint8.

        Raises:
            ImageError: It cannot be fitted.
        """


@dataclass(frozen=True)
class Resize(ImageFit):
    """Resizes the whole image to the input's size."""

    window: Size

    def __call__(self, image: Tensor) -> ImageWindows:
        """Return one window, the whole image."""
        return ImageWindows((fit(image, self.window),), self.window)


@dataclass(frozen=True)
class Slide(ImageFit):
    """Slides windows over the whole image, whose short side is brought to ``short_side`` before."""

    window: Size
    stride: int
    short_side: int
    max_ratio: float

    def __call__(self, image: Tensor) -> ImageWindows:
        """Return as many windows as it takes to cover the image."""
        size = scaled_size(_size_of(image), self.short_side, self.max_ratio)
        large = size_for_windows(size, self.window)
        _check_large(image, large)
        resized = scale(scale(image, size), large)
        return _cut(resized, lay_windows(large, self.window, self.stride))


@dataclass(frozen=True)
class SlideEvenly(ImageFit):
    """Lays windows along the one axis in which the scaled image is longer than a window."""

    window: Size

    def __call__(self, image: Tensor) -> ImageWindows:
        """Return as few windows as cover the image."""
        size = size_of_windows(_size_of(image), self.window)
        _check_large(image, size)
        return _cut(fit(image, size), lay_windows_evenly(size, self.window))


def image_fit_of(input: InputInfo, stride: int | None = None) -> ImageFit:
    """Return the way to fit images that a manifest asks for.

    Args:
        input: The input that the manifest describes.
        stride: Another stride than the manifest's; None keeps that.

    Raises:
        InputError: A stride where nothing slides, or one that leaves gaps between windows.
    """
    window = (input.height, input.width)
    if input.stride is None or input.short_side is None or input.max_ratio is None:
        if stride is not None:
            raise InputError(
                f"stride: expected none with fit {input.fit!r}, got {stride}",
                "build the artifact with --set input.fit=slide",
            )
        return SlideEvenly(window) if input.fit == "slide_evenly" else Resize(window)
    if stride is not None and not 1 <= stride <= min(window):
        raise InputError(f"stride: expected 1 to {min(window)}, a window's side, got {stride}")
    return Slide(window, stride or input.stride, input.short_side, input.max_ratio)


def _size_of(image: Tensor) -> Size:
    return image.shape[1], image.shape[2]


def _check_large(image: Tensor, large: Size) -> None:
    """Refuse an image of which nobody can hold the scaled one."""
    if max(large) > LARGEST_SIDE or large[0] * large[1] > MAX_PIXELS:
        height, width = _size_of(image)
        raise ImageError(
            f"{width} x {height} pixels are too narrow to slide over: "
            f"{large[1]} x {large[0]} once a window fits",
            "cut the image into pieces first",
        )


def _cut(image: Tensor, grid: WindowGrid) -> ImageWindows:
    """Cut the windows out of an image ``(3, *grid.size)``."""
    height, width = grid.window
    windows = (image[:, top : top + height, left : left + width] for top, left in grid.corners())
    return ImageWindows(tuple(windows), grid.size, grid)
