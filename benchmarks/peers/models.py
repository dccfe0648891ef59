"""Lists the models that are compared, their schedules and images, and the goals of each.

Of the scenes every third calibrates what is quantized; mIoU is over the others. No engine is judged
by an image that it has seen.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.bench import transformers_models
from benchmarks.bench.cache import state_folder
from benchmarks.peers.variants import Blocks, Variant
from benchmarks.record import IMAGES
from mpm_deploy.datasets import Dataset, open_dataset
from mpm_deploy.images.decode import find_images
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.support.cores import available_cores

_CALIBRATING = 3  # one scene in so many


@dataclass(frozen=True)
class Goals:
    """What to reach: ratios of end-to-end FPS, each engine by its best way, and shares.

    Attributes:
        over_plain: The ratio over PyTorch eager full-token, float32.
        over_best_peer: The ratio over the fastest full-token peer of the same precision.
        of_the_ceiling: The share of the GFLOP/s of matrix products, the model alone.
        full_token_over_transformers: The ratio of our full-token model over transformers, by the
            faster of its ways; None where it has no such model.
        labels_share: The most that label maps may take of the model's time; None is any.
    """

    over_plain: float
    over_best_peer: float
    of_the_ceiling: float
    full_token_over_transformers: float | None = None
    labels_share: float | None = None


@dataclass(frozen=True)
class Model:
    """A model with its weights.

    Attributes:
        name: The model's name on the command line.
        settings: Assignments that change a built-in recipe; None is what the model of transformers
            that has this name asks for.
        images: Images of one pass, so that a pass takes seconds with each.
        goals: What to reach.
        schedules: Others to merge by than the recipes' own, in engines that can merge.
        engines: Beginnings of the names of those engines that it is compared with; None is all.
    """

    name: str
    settings: tuple[str, ...] | None
    images: int
    goals: Goals
    schedules: tuple[Blocks, ...] = ()
    engines: tuple[str, ...] | None = None

    @property
    def trained(self) -> bool:
        """Whether label maps mean something."""
        return self.settings == ()

    def recipe(self, name: str = "cpu_portable_fp32") -> Recipe:
        """Return a built-in recipe, changed for this model."""
        recipe = load_recipe(name)
        return recipe.override(*self.settings_in(recipe.backend.dtype))

    def settings_in(self, dtype: str) -> tuple[str, ...]:
        """Return the assignments that change a recipe that computes in ``dtype``."""
        settings = self.settings
        if settings is None:
            settings = transformers_models.MODELS[self.name].settings
        if dtype == "int8":
            settings = (*settings, f"backend.calibration={calibration_folder()}")
        if dtype == "float32" or self.trained:
            return settings
        # Random weights leave the classes closer to one another than bfloat16 or int8 tells apart,
        # the more so the wider they are; a wrong model would agree in one of 150.
        return (*settings, "verify.labels=0.6", "verify.clusters=0.9")

    def variants(self, of_an_engine: Iterable[Variant]) -> Iterator[Variant]:
        """Yield the variants of an engine; where it merges, by each of the model's schedules."""
        for variant in of_an_engine:
            yield variant
            if variant.merged:
                yield from (replace(variant, blocks=blocks) for blocks in self.schedules)


def _random(model: str) -> tuple[str, ...]:
    return (f"model.name={model}", "model.weights=random", "model.classes=150")


MODELS = {
    model.name: model
    for model in (
        Model("demo", (), 16, Goals(2.0, 2.0, 0.8), schedules=((1, 2, 5),)),
        Model("seg_t16_mask", _random("seg_t16_mask"), 16, Goals(4.0, 1.6, 0.8)),
        Model("seg_s16_mask", _random("seg_s16_mask"), 8, Goals(2.5, 1.5, 0.9)),
        Model("seg_b16_mask", _random("seg_b16_mask"), 8, Goals(1.8, 1.3, 0.9)),
        Model(
            "eomt_s16",
            None,
            8,
            Goals(1.8, 1.3, 0.9, full_token_over_transformers=1.5, labels_share=0.05),
            engines=("PyTorch eager", "transformers", "cpu_fp32"),
        ),
    )
}


def cores() -> int:
    """Return the number of cores that this process may use: how many images run side by side."""
    return available_cores()


def calibration_images() -> list[Path]:
    """Return the scenes that calibrate what is quantized."""
    return find_images(IMAGES)[::_CALIBRATING]


def calibration_folder() -> Path:
    """Return a folder that holds these."""
    return copied(calibration_images(), state_folder() / "calibration")


def judged_images() -> list[Path]:
    """Return the other scenes, by which accuracy is judged."""
    seen = {*calibration_images()}
    return [image for image in find_images(IMAGES) if image not in seen]


def judged_scenes() -> Dataset:
    """Return these with their label maps."""
    scenes, judged = open_dataset(str(IMAGES.parent)), {*judged_images()}
    scenes.samples = tuple(sample for sample in scenes if sample.image in judged)
    return scenes


def spread_over(images: list[Path], count: int) -> list[Path]:
    """Return ``count`` of the images, spread over all of them."""
    picked = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    return [images[index] for index in picked]


def copied(images: Iterable[Path], target: Path) -> Path:
    """Copy images into a folder, and return it."""
    target.mkdir(parents=True, exist_ok=True)
    for image in images:
        shutil.copy(image, target)
    return target
