"""What many tests need: small artifacts, built once, and a folder of images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from mpm_deploy.backends import get_backend
from mpm_deploy.builder.build import build
from mpm_deploy.errors import BuildError
from mpm_deploy.recipe import Recipe, builtin_recipes, load_recipe

# The models here are small: more threads would wait for each other longer than they compute. The
# variable is for the programs that tests start.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

INPUT_SIZE = (64, 96)  # height, width: not square, so that no test passes with the two exchanged
CLASSES = 7
QUICK_RECIPES = ("cpu_portable_fp32", "cpu_fp32")  # one of each backend


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


def _skipped_where_it_cannot_be_built(recipe: Recipe) -> list[pytest.MarkDecorator]:
    try:
        get_backend(recipe.backend.name).check(recipe)
    except BuildError as error:
        return [pytest.mark.skip(reason=error.problem)]
    return []


def cpu_recipes(quick: Sequence[str] = QUICK_RECIPES, assignments: Sequence[str] = ()) -> list[Any]:
    """The name of every built-in recipe for a CPU; all but the quick ones are marked slow.

    One that cannot be built here, or with the assignments, is skipped, and why.
    """
    return [
        pytest.param(
            recipe.name,
            marks=[
                *_skipped_where_it_cannot_be_built(recipe.override(*assignments)),
                *([] if recipe.name in quick else [pytest.mark.slow]),
            ],
        )
        for recipe in builtin_recipes()
        if recipe.backend.device == "cpu"
    ]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes that run these tests together."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def built_once(recipe: Recipe, path: Path) -> Path:
    """An artifact that the first process to need it builds, while others wait."""
    with FileLock(f"{path}.lock"):
        return path if path.exists() else build(recipe, path)


@pytest.fixture(scope="session", params=cpu_recipes())
def recipe_and_artifact(request: pytest.FixtureRequest, shared_folder: Path) -> tuple[Recipe, Path]:
    """A small artifact of each recipe for a CPU."""
    recipe = small_recipe(request.param)
    suffix = get_backend(recipe.backend.name).suffix
    return recipe, built_once(recipe, shared_folder / f"{recipe.name}{suffix}")


@pytest.fixture(scope="session")
def artifact(shared_folder: Path) -> Path:
    """A small TorchScript artifact with merging."""
    return built_once(small_recipe(), shared_folder / "merged.pt")


@pytest.fixture(scope="session")
def full_token_artifact(shared_folder: Path) -> Path:
    """The same model without merging."""
    return built_once(small_recipe().full_token(), shared_folder / "full.pt")


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
