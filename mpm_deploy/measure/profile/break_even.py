"""Finds the break-even: from how many tokens on does merging pay on this machine?

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

from mpm_deploy.errors import ImageError
from mpm_deploy.images.decode import decode, fit
from mpm_deploy.measure.speed.report import Spread
from mpm_deploy.measure.unusable import none_usable
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe import InputRecipe, Recipe
from mpm_deploy.run.results import Skipped

SIDES = (4, 8, 12, 16, 24, 32, 40)  # patches
BATCHES = {"cpu": (1, 2), "cuda": (1, 2, 32)}
REPEATS = 5


@dataclass(frozen=True)
class Size:
    """One input size, and how many times as fast the merged model is there, turn by turn."""

    tokens: int
    fps_ratio: Spread


@dataclass(frozen=True)
class BreakEven:
    """The break-even at one batch size.

    Attributes:
        batch_size: Images a call.
        pays_from: The fewest tokens from which on merging was faster in every turn; None if never.
        sizes: What was measured, smallest first.
    """

    batch_size: int
    pays_from: int | None
    sizes: tuple[Size, ...]


def find_break_even(
    recipe: Recipe,
    make: Callable[[Recipe], Segmenter],
    files: Sequence[Path],
    progress: Callable[[str], None],
) -> tuple[tuple[BreakEven, ...], list[str]]:
    """Time the eager model of a recipe at several sizes, for each batch size of its device.

    Args:
        recipe: What merges.
        make: Gives the eager model of a recipe, on the device to time.
        files: Images; they are resized, and the turns go through them.
        progress: Told each size as it begins.

    Returns:
        What was found, and a sentence for each batch size that there are too few images for.

    Raises:
        InputError: No image that can be decoded.
        ModelError: The weights cannot be used.
    """
    # no windows: the image is the input
    whole = replace(recipe, input=InputRecipe(fit="resize", pad=recipe.input.pad))
    model = make(whole)
    patch, device = model.encoder.patch_size, model.scale.device
    down, across = model.grid
    wanted = BATCHES[device.type]
    images = _decoded(files, max(wanted) * (REPEATS + 1))
    batches = [batch for batch in wanted if batch <= len(images)]
    found: dict[int, list[Size]] = {batch: [] for batch in batches}
    for side in SIDES:
        progress(f"the eager model at {side * side} tokens")
        sized = _at(whole, (side * patch, side * patch), side * side / (down * across))
        models = make(sized), make(sized.full_token())
        inputs = torch.stack([fit(image, models[0].image_size) for image in images]).to(device)
        for batch in batches:
            found[batch].append(Size(side * side, Spread.of(_ratios(models, inputs, batch))))
    even = (BreakEven(batch, _pays_from(sizes), tuple(sizes)) for batch, sizes in found.items())
    left_out = [batch for batch in wanted if batch not in batches]
    return tuple(even), [_too_few(batch, len(images)) for batch in left_out]


def _at(recipe: Recipe, image_size: tuple[int, int], share: float) -> Recipe:
    """Return the recipe at another input size, with ``share`` times as many patches."""
    merge = replace(recipe.merge, member=recipe.merge.member.scaled(share))
    return replace(recipe, model=replace(recipe.model, image_size=image_size), merge=merge)


def _too_few(batch: int, images: int) -> str:
    return (
        f"no break-even at batch {batch}: it needs as many different images, and there are "
        f"{images}; raise --limit or name a larger folder"
    )


def _pays_from(sizes: Sequence[Size]) -> int | None:
    """Return the fewest tokens from which on merging was faster at every size and in every turn."""
    answer = None
    for size in reversed(sizes):
        if size.fps_ratio.min <= 1:
            break
        answer = size.tokens
    return answer


def _decoded(files: Sequence[Path], most: int) -> list[Tensor]:
    """Decode the first ``most`` images that can be decoded, each to ``(3, height, width)``."""
    images: list[Tensor] = []
    skipped: list[Skipped] = []
    for file in files:
        if len(images) == most:
            break
        try:
            images.append(decode(file))
        except ImageError as error:
            skipped.append(Skipped.of(file, error))
    if not images:
        raise none_usable(files[0].parent, skipped)
    return images


def _ratios(models: tuple[Segmenter, Segmenter], inputs: Tensor, batch: int) -> list[float]:
    """Time both models in turns, each on the next batch of images; return full-token time over
    merged time, one ratio per turn.
    """
    ratios = []
    numbers = torch.arange(batch, device=inputs.device)
    for turn in range(REPEATS + 1):
        images = inputs[(numbers + turn * batch) % len(inputs)]  # (batch, 3, H, W)
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
