"""What many tests need: small artifacts, built once, and a folder of images."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.backends import get_backend
from mpm_deploy.builder.build import build
from mpm_deploy.errors import BuildError
from mpm_deploy.recipe import Recipe, builtin_recipes, load_recipe

# The models here are small: more threads would wait for each other longer than they compute.
torch.set_num_threads(1)

INPUT_SIZE = (64, 96)  # height, width: not square, so that no test passes with the two exchanged
CLASSES = 7


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what needs a GPU where there is none, unless MPM_REQUIRE_CUDA is set."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        missing = "torch sees no CUDA device"
        (pytest.fail if os.environ.get("MPM_REQUIRE_CUDA") else pytest.skip)(missing)


def small_recipe(name: str = "cpu_portable_fp32") -> Recipe:
    """A built-in recipe at a size that builds in seconds, with random weights."""
    recipe = load_recipe(name).override(
        "model.weights=random",
        f"model.image_size=[{INPUT_SIZE[0]}, {INPUT_SIZE[1]}]",
        f"model.classes={CLASSES}",
    )
    if recipe.backend.dtype == "float32":
        return recipe
    # Random weights leave the classes closer to one another than bfloat16 tells apart.
    return recipe.override("verify.labels=0.9", "verify.clusters=0.9")


def _or_skipped(recipe: Recipe) -> Any:
    try:
        get_backend(recipe.backend.name).check(recipe)
    except BuildError as error:
        return pytest.param(recipe.name, marks=pytest.mark.skip(reason=error.problem))
    return recipe.name


def cpu_recipes() -> list[Any]:
    """Every built-in recipe for a CPU; one that this machine cannot build is skipped, and why."""
    return [_or_skipped(r) for r in builtin_recipes() if r.backend.device == "cpu"]


@pytest.fixture(scope="session", params=cpu_recipes())
def recipe_and_artifact(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """A small artifact of each recipe for a CPU."""
    recipe = small_recipe(request.param)
    suffix = get_backend(recipe.backend.name).suffix
    path = tmp_path_factory.mktemp(recipe.name) / f"segmenter{suffix}"
    return recipe, build(recipe, path)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small TorchScript artifact with merging."""
    return build(small_recipe(), tmp_path_factory.mktemp("artifact") / "merged.pt")


@pytest.fixture(scope="session")
def full_token_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model without merging."""
    return build(small_recipe().full_token(), tmp_path_factory.mktemp("artifact") / "full.pt")


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images, all different, of several sizes and both formats."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    sizes = [(64, 96), (37, 71), (128, 128), (20, 200), (96, 64)]
    for index, (height, width) in enumerate(sizes):
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / f"image_{index}.{'png' if index % 2 else 'jpg'}")
    return folder
