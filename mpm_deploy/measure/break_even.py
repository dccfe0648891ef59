"""The break-even: from how many tokens on does merging pay on this machine?

Merging costs comparisons and saves work of later blocks, which grows faster than the tokens do. The
eager model of a recipe is made for images of several sizes, and runs merged and full-token in
turns. It is not the artifact: compiled, both are faster, and the answer may lie lower or higher.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from mpm_deploy.build import make_model
from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.images import decode, fit
from mpm_deploy.measure.report import Spread
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe import Recipe

SIDES = (4, 8, 12, 16, 24, 32, 40)  # patches
BATCHES = {"cpu": (1, 2), "cuda": (1, 2, 32)}
REPEATS = 5


@dataclass(frozen=True)
class Size:
    """One size of input: how many times as fast merged is, turn by turn."""

    tokens: int
    fps_ratio: Spread


@dataclass(frozen=True)
class BreakEven:
    """Of one batch size.

    Attributes:
        batch_size: Images a call.
        pays_from: The fewest tokens from which on merging was faster in every turn; None if never.
        sizes: What was measured, smallest first.
    """

    batch_size: int
    pays_from: int | None
    sizes: tuple[Size, ...]


def find_break_even(
    recipe: Recipe, files: Sequence[Path], progress: Callable[[str], None]
) -> tuple[BreakEven, ...]:
    """Time the eager model of a recipe at several sizes, for each batch size of its device.

    Args:
        recipe: What merges.
        files: Images; they are resized, and come again where a batch needs more.
        progress: Told each size as it begins.

    Raises:
        InputError: No image that can be decoded.
        ModelError: The weights cannot be used.
    """
    batches = BATCHES[recipe.backend.device]
    images = _decoded(files, max(batches))
    found: dict[int, list[Size]] = {batch: [] for batch in batches}
    for side in SIDES:
        progress(f"the eager model at {side * side} tokens")
        models = _models(recipe, side)
        size = models[0].image_size
        inputs = torch.stack([fit(image, size) for image in images])  # (images, 3, H, W)
        for batch in batches:
            ratios = _ratios(models, inputs[:batch].to(models[0].scale.device))
            found[batch].append(Size(side * side, Spread.of(ratios)))
    return tuple(
        BreakEven(batch, _pays_from(sizes), tuple(sizes)) for batch, sizes in found.items()
    )


def _pays_from(sizes: Sequence[Size]) -> int | None:
    """The fewest tokens from which on every size was faster in every turn."""
    answer = None
    for size in reversed(sizes):
        if size.fps_ratio.min <= 1:
            break
        answer = size.tokens
    return answer


def _decoded(files: Sequence[Path], count: int) -> list[Tensor]:
    """So many images ``(3, height, width)``; they come again where there are fewer."""
    images = []
    for file in files:
        try:
            images.append(decode(file))
        except ImageError:
            continue
    if not images:
        raise InputError(f"none of the {len(files)} images can be decoded")
    return [images[number % len(images)] for number in range(count)]


def _models(recipe: Recipe, side: int) -> tuple[Segmenter, Segmenter]:
    """Merged and full-token, for images of so many patches by so many."""
    patch = make_model(recipe)[0].encoder.config.patch_size
    sized = replace(recipe, model=replace(recipe.model, image_size=(side * patch, side * patch)))
    whole = replace(sized, input=type(recipe.input)())  # no windows: the image is the input
    return make_model(whole)[0].eval(), make_model(whole.full_token())[0].eval()


def _ratios(models: tuple[Segmenter, Segmenter], images: Tensor) -> list[float]:
    """Full-token time over merged time, one a turn."""
    ratios = []
    for turn in range(REPEATS + 1):
        merged, full_token = (_seconds(model, images) for model in models)
        if turn:  # the first is to warm up
            ratios.append(full_token / merged)
    return ratios


def _seconds(model: Segmenter, images: Tensor) -> float:
    with torch.inference_mode():
        _wait(images.device)
        begin = time.perf_counter()
        model(images)
        _wait(images.device)
    return time.perf_counter() - begin


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
