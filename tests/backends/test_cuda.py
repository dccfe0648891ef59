"""Artifacts for a GPU, built and run on one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mpm_deploy.backends.eager import EagerProgram
from mpm_deploy.builder.build import build, open_eager
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.images.decode import find_images
from mpm_deploy.recipe import Recipe
from mpm_deploy.run.results import Result
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe
from tests.models import small_eva

pytestmark = pytest.mark.cuda


def recipe_for_here(name: str) -> Recipe:
    major, minor = torch.cuda.get_device_capability()
    return small_recipe(name).override(f"backend.cuda_capability=[{major}, {minor}]")


# What Table 5's models have not: assignments to a recipe.
OTHERS = {
    "eomt": ("model.name=eomt_t16",),
    "rotary": ("model.name=vit_small_patch16_dinov3+linear",),
    "cts": ("merge.method=cts", "merge.blocks=[0,2]", "merge.shared=3"),
    "tome": ("merge.method=tome", "merge.r=4"),
    "algm": ("merge.method=algm", "merge.threshold=0.9"),
    "adapter": (*small_eva.OPTIONS, "merge.blocks=[2,5]"),
}
BUILT = ("h100_bf16-merged", "h100_bf16-full_token", "h100_fp32-merged")


@pytest.fixture(scope="module", params=BUILT)
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """A small model; its build has compared it with the eager one already."""
    torch._C._set_print_stack_traces_on_fatal_signal(True)  # C++'s; pytest prints Python's
    name, _, variant = request.param.partition("-")
    recipe = recipe_for_here(name)
    recipe = recipe if variant == "merged" else recipe.full_token()
    return recipe, build(recipe, tmp_path_factory.mktemp(name) / f"{variant}.pt2")


def test_a_batch_has_the_label_maps_of_its_images(
    built: tuple[Recipe, Path], image_folder: Path
) -> None:
    """Ragged rows are attended within each image: its neighbors in a batch do not show."""
    recipe, path = built
    images = find_images(image_folder)
    maps = []
    with Runner(path) as runner:
        for batch_size in (1, 5):
            results = list(runner.run(images, batch_size=batch_size))
            assert all(isinstance(result, Result) for result in results)
            maps.append([result.labels for result in results])  # type: ignore[union-attr]
    agree = [float((one == other).mean()) for one, other in zip(*maps, strict=True)]
    # cuBLAS takes another kernel for another number of rows, which adds in another order.
    assert min(agree) >= (0.999 if recipe.backend.dtype == "float32" else 0.97)


def test_a_gpu_says_what_a_cpu_says(built: tuple[Recipe, Path]) -> None:
    recipe, path = built
    if recipe.backend.dtype != "float32":
        pytest.skip("bfloat16 rounds otherwise on a CPU: the build compares it on the GPU")
    assert least_agreement_with_a_cpu(recipe, path) >= 0.995


@pytest.mark.parametrize("model", OTHERS)
def test_another_model_says_what_it_says_on_a_cpu(model: str, tmp_path: Path) -> None:
    recipe = recipe_for_here("h100_fp32").override(*OTHERS[model])
    path = build(recipe, tmp_path / f"{model}.pt2")
    assert least_agreement_with_a_cpu(recipe, path) >= 0.995


@pytest.mark.parametrize("model", OTHERS)
def test_another_model_builds_in_bfloat16(model: str, tmp_path: Path) -> None:
    """Its build compares it with the eager model on the GPU."""
    build(recipe_for_here("h100_bf16").override(*OTHERS[model]), tmp_path / f"{model}.pt2")


def least_agreement_with_a_cpu(recipe: Recipe, path: Path) -> float:
    """The share of equal labels in the worst image; on a CPU none of the GPU's kernels runs."""
    on_cpu = recipe.override(
        "backend.device=cpu", "backend.cuda_capability=", "backend.max_batch=1"
    )
    opened = open_eager(on_cpu)
    assert isinstance(opened.program, EagerProgram)
    images = verification_images(4, recipe.model.image_size or (0, 0))
    with Runner(path) as runner:
        pixels = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]
        ours = [result.labels for result in runner.run(pixels)]  # type: ignore[union-attr]
    scores, _ = opened.program.scores(images)
    theirs = opened.program.labels(scores, recipe.model.image_size or (0, 0)).cpu().numpy()
    return min(float((one == other).mean()) for one, other in zip(ours, theirs, strict=True))
