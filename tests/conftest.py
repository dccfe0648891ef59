"""What many tests need: small artifacts, built once, and a folder of images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.build import build
from mpm_deploy.recipe import Recipe, load_recipe

# The models here are small: more threads would wait for each other longer than they compute.
torch.set_num_threads(1)

INPUT_SIZE = (64, 96)  # height, width: not square, so that no test passes with the two exchanged
CLASSES = 7


def small_recipe(name: str = "cpu_fp32") -> Recipe:
    """A built-in recipe at a size that builds in seconds, with random weights."""
    return load_recipe(name).override(
        "model.weights=random",
        f"model.image_size=[{INPUT_SIZE[0]}, {INPUT_SIZE[1]}]",
        f"model.classes={CLASSES}",
    )


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
