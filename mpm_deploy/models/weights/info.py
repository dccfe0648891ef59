"""Describe weights: the model, input and classes that they are for, and where they come from."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpm_deploy.models.weights.classes import numbered_classes
from mpm_deploy.recipe import InputRecipe, MergeRecipe, Recipe
from mpm_deploy.support.family import require

RANDOM = "random"  # the origin of weights of which all, or the whole head, is random
GIVEN = "given in Python"  # the origin of weights that no file holds
_DEFAULT_MODEL = "seg_t16_mask"
_DEFAULT_CLASSES = 150


@dataclass(frozen=True)
class WeightsInfo:
    """Says what weights are for, and where they come from.

    Args:
        origin: ``"demo"``, ``"demo_cts"``, ``"random"``, ``"given in Python"`` or the file's name.
        sha256: SHA-256 of the file, or of the tensors that were given; None of random ones.
        model: Name of the model in the zoo.
        image_size: Input ``(height, width)`` in pixels that they were trained for.
        mean: Mean of each channel, on 0..1.
        std: Standard deviation of each channel, on 0..1.
        classes: Names of the K classes.
        palette: Red, green and blue of each class, 0 to 255.
        head: The options of the head that they were trained with; those left out are its defaults.
        backbone: The options of the backbone that they were trained with, likewise.
        input: The values of a recipe's ``[input]`` table that they were tested with; a recipe
            that says nothing else takes them.
        merge: The values of its ``[merge]`` table that they were trained with; a recipe of that
            method takes the options that it leaves open. Empty where no token merged.
        base: The weights that hold what this file does not, ``"demo"`` or a file beside it; None
            where it holds all.

    Raises:
        OptionError: A value that nothing can be made with.
        RecipeError: An input or a merge that no recipe can ask for.
    """

    origin: str
    sha256: str | None
    model: str
    image_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    head: dict[str, Any] = field(default_factory=dict)
    backbone: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    merge: dict[str, Any] = field(default_factory=dict)
    base: str | None = None

    def __post_init__(self) -> None:
        mean, std, count = self.mean, self.std, len(self.classes)
        require(all(map(math.isfinite, mean)), "mean", "finite numbers", mean)
        above_zero = all(0 < value < math.inf for value in std)
        require(above_zero, "std", "finite numbers above 0", std)
        require(count > 0, "classes", "one name or more", self.classes)
        colors = len(self.palette)
        require(colors == count, "palette", f"a color for each of {count} classes", colors)
        beyond = {number for color in self.palette for number in color} - {*range(256)}
        require(not beyond, "palette", "numbers from 0 to 255", sorted(beyond))
        beside = self.base is None or self.base == Path(self.base).name != ""
        require(beside, "base", "'demo' or a file beside it", self.base)
        _ = self.tested_input, self.trained_merge

    @property
    def tested_input(self) -> InputRecipe:
        """The ``[input]`` table that they were tested with."""
        return Recipe.from_dict({"name": self.origin, "input": self.input}).input

    @property
    def trained_merge(self) -> MergeRecipe:
        """The ``[merge]`` table that they were trained with; without blocks if nothing merged."""
        merge = self.merge or {"blocks": ()}
        return Recipe.from_dict({"name": self.origin, "merge": merge}).merge


def random_weights(
    model: str | None, image_size: tuple[int, int] | None, classes: int | None
) -> WeightsInfo:
    """Describe random weights, which are good for measuring speed and nothing else."""
    names, palette = numbered_classes(classes or _DEFAULT_CLASSES)
    return WeightsInfo(
        origin=RANDOM,
        sha256=None,
        model=model or _DEFAULT_MODEL,
        image_size=image_size or (512, 512),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        classes=names,
        palette=palette,
    )
