"""Define what a Runner gives for an image, and what an image becomes on the way there."""

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mpm_deploy.errors import InputError, MpmError
from mpm_deploy.images.decode import ImageLike
from mpm_deploy.images.windows import Size, WindowGrid
from mpm_deploy.run.outputs import Output, Outputs
from mpm_deploy.run.sources.frame import Frame
from mpm_deploy.support.refusal import line_of, refusal_in


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds from an image file to its label map, stage by stage.

    Attributes:
        decode: File to pixels; nearly 0 for an image that was in memory.
        fit: Resize to the model's input.
        copy: Images into one batch on the device.
        scores: The model.
        labels: Scores to label maps in host memory, and to whatever else is asked for.
    """

    decode: float
    fit: float
    copy: float
    scores: float
    labels: float

    @property
    def total(self) -> float:
        """The sum of all stages."""
        return self.decode + self.fit + self.copy + self.scores + self.labels


@dataclass(frozen=True, eq=False)
class WindowResult:
    """Says what the model did with one window of an image.

    Attributes:
        top: First row of the window on the resized image; 0 where it is the whole image.
        left: First column, likewise.
        tokens_kept: Tokens left after each merge; empty for a full-token model.
        merge_maps: ``(merges, patches)`` int32: the token that each patch belongs to after each
            merge.
    """

    top: int
    left: int
    tokens_kept: tuple[int, ...]
    merge_maps: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Result:
    """Holds what the model says of one image.

    Attributes:
        ok: True, and False of `Skipped`: whether there is a result of the image.
        source: The image, as it was given, or a `Frame`, whose ``pixels`` are what was decoded.
        outputs: What was asked for, by name; `labels`, `scores` and `probabilities` give them too.
        windows: What the model did with each of its windows; one where ``fit`` is ``"resize"``.
        stages_ms: ``decode`` and ``fit`` of this image; ``copy``, ``scores`` and ``labels`` of its
            whole batch, or of all batches that held a window of it. Waiting in between is not
            counted.
        share_ms: The part of that time that this image took: all images' shares sum up to the work.
        batch: Windows in its batch, in the last one where there were several; these are images
            where ``fit`` is ``"resize"``.
    """

    ok: ClassVar[Literal[True]] = True

    source: ImageLike | Frame
    outputs: Outputs
    windows: tuple[WindowResult, ...]
    stages_ms: StageTimes
    share_ms: StageTimes
    batch: int

    @property
    def index(self) -> int | None:
        """The number of a frame, from 1; None of an image."""
        return self.source.index if isinstance(self.source, Frame) else None

    @property
    def time(self) -> float | None:
        """Seconds from a video's first frame to this one; None of an image."""
        return self.source.time if isinstance(self.source, Frame) else None

    @property
    def labels(self) -> NDArray[np.integer[Any]]:
        """``(height, width)`` class indices, uint8, or int16 past 256 classes.

        Raises:
            InputError: They were not asked for.
        """
        return self._output("labels")

    @property
    def scores(self) -> NDArray[np.float32]:
        """``(K, rows, columns)`` float32: the scores that the label map is made of, as they are.

        The grid is that of the model's patches, or a finer one where its head upsamples; where
        windows slide over the image it is that of the resized image's pixels, and the scores are
        the mean over the windows on each. Resized bilinearly to the size of the label map,
        ``align_corners=False``, the best class of each pixel is its label: rows first, then
        columns, in float32.

        Raises:
            InputError: They were not asked for.
        """
        return self._output("scores")

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """``(K, rows, columns)`` float32: the probability of each class, on the grid of `scores`.

        It is their softmax over the classes; where scores are sums of probabilities, as EoMT's are,
        each class's share of their sum.

        Resized bilinearly they still sum to 1 at every pixel, but where classes are close another
        one than the label may then be the best.

        Raises:
            InputError: They were not asked for.
        """
        return self._output("probabilities")

    def _output(self, name: Output) -> NDArray[Any]:
        if name not in self.outputs:
            raise InputError(
                f"{name}: expected among the outputs, got {', '.join(self.outputs)} only",
                f'ask for them: outputs=("{name}", ...)',
            )
        return self.outputs[name]

    @property
    def tokens_kept(self) -> tuple[int, ...]:
        """Tokens left after each merge, of all windows together; empty for a full-token model."""
        kept = (window.tokens_kept for window in self.windows)
        return tuple(sum(after_merge) for after_merge in zip(*kept, strict=True))

    @property
    def merge_maps(self) -> NDArray[np.int32]:
        """``(merges, patches)`` int32: the token that each patch belongs to after each merge.

        Of several windows the patches follow one another, and tokens are counted on from window to
        window.
        """
        maps, before = [], np.zeros((len(self.tokens_kept), 1), np.int32)
        for window in self.windows:
            maps.append(window.merge_maps + before)
            before = before + np.array(window.tokens_kept, np.int32)[:, None]
        return np.concatenate(maps, axis=1)


@dataclass(frozen=True)
class Skipped:
    """An image that has no outputs, and why.

    Attributes:
        ok: False, and True of `Result`.
        path: The file; a word for what it was where it is none.
        reason: Why it has no label map.
        error: What was raised for it.
    """

    ok: ClassVar[Literal[False]] = False

    path: str
    reason: str
    error: Exception = field(compare=False, repr=False)

    @classmethod
    def of(cls, image: ImageLike | Frame, error: Exception) -> "Skipped":
        """Skip an image for what was raised in its place."""
        name = name_of(image)
        return cls(name, reason_of(error).removeprefix(f"{name}: "), error)


def class_shares(result: Result, classes: int) -> list[float]:
    """Return what share of the label map's pixels has each of so many classes."""
    counts = np.bincount(result.labels.ravel(), minlength=classes)  # (classes,)
    return [*map(float, counts / result.labels.size)]


def name_of(image: ImageLike | Frame) -> str:
    """Return the path of an image, or where it has none a word for what it is. Raises nothing."""
    try:
        return _name_of(image)
    except Exception:  # noqa: BLE001 - of an object that is only like an image
        return type(image).__name__


def _name_of(image: ImageLike | Frame) -> str:
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image)
    if isinstance(image, Frame):
        return image.name
    if isinstance(image, bytes | bytearray | memoryview):
        return f"{len(image)} bytes"
    if isinstance(image, Image.Image):
        return str(image)
    kind = type(image).__name__
    shape = getattr(image, "shape", None)
    return kind if shape is None else f"{kind} {tuple(shape)}"


def reason_of(error: Exception) -> str:
    """Say in a line what an error says."""
    if isinstance(error, MpmError):
        return error.problem
    refused = refusal_in(error)
    if refused is not None:
        return refused.problem
    return line_of(error)


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image that is ready for the model.

    Attributes:
        source: The image, as it was given.
        windows: Each ``(3, H, W)`` uint8, of the model's input size; one, or several that slide.
        grid: Where the windows lie; None where the one window is the whole image.
        size: ``(height, width)`` of the label map to come.
        decode_ms: Time it took to decode.
        fit_ms: Time it took to fit.
    """

    source: ImageLike | Frame
    windows: tuple[Tensor, ...]
    grid: WindowGrid | None
    size: Size
    decode_ms: float
    fit_ms: float
