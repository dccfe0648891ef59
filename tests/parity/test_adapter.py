"""A small EVA-01 with ViT-Adapter and Mask2Former: both programs write the same label maps."""

from pathlib import Path

import pytest

from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import get_backend
from tests.conftest import built_once, small_recipe
from tests.models.small_eva import OPTIONS
from tests.parity.conftest import Run
from tests.parity.test_label_maps import assert_same_label_maps, tokens_kept

RECIPES = ["cpu_portable_fp32", pytest.param("cpu_fp32", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=RECIPES)
def adapted(request: pytest.FixtureRequest, shared_folder: Path) -> Path:
    """A small artifact, merged as the paper merges."""
    recipe = small_recipe(request.param).override(*OPTIONS, "merge.blocks=[2,5]")
    suffix = get_backend(recipe.backend.name).suffix
    return built_once(recipe, shared_folder / f"adapter_{recipe.name}{suffix}")


def test_its_manifest_says_its_parts_with_their_options(adapted: Path) -> None:
    manifest = read_manifest(adapted)
    assert manifest.model.name == "eva_g16_mask2former"
    assert manifest.recipe["model"]["stem_width"] == 8 and manifest.recipe["model"]["queries"] == 7
    scores, maps = manifest.outputs
    assert scores.kind == "probabilities" and scores.shape[1:] == (4 * 4, 4 * 6)
    assert maps.shape == (2, 24)


def test_both_programs_write_the_same_label_maps(
    adapted: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    maps = assert_same_label_maps(adapted, image_folder, cpp_runner, mpm_deploy, tmp_path, batch=4)
    assert len(maps) == 5


def test_both_programs_count_the_same_tokens(
    adapted: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    kept = tokens_kept(adapted, image_folder, cpp_runner, mpm_deploy, tmp_path)
    assert 24 > kept["mean"][0] > kept["mean"][1]
