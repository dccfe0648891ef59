"""A model that shares tokens: both programs keep as many, and write the same label maps."""

from pathlib import Path

import pytest

from mpm_deploy.backends import get_backend
from mpm_deploy.recipe import load_recipe
from tests.conftest import built_once, cpu_recipes, small_recipe
from tests.parity.conftest import Run
from tests.parity.test_label_maps import SCENES, assert_same_label_maps, tokens_kept

SHARED = 3
TRAINED = ("model.weights=demo_cts", "merge.method=cts", "merge.blocks=[0,5]")
SHARING = ("merge.method=cts", "merge.blocks=[0,2]", f"merge.shared={SHARED}")


@pytest.fixture(scope="module", params=cpu_recipes(("cpu_portable_fp32",), SHARING))
def sharing(request: pytest.FixtureRequest, shared_folder: Path) -> Path:
    """A small artifact of each recipe for a CPU, which shares and then merges."""
    recipe = small_recipe(request.param).override(*SHARING)
    suffix = get_backend(recipe.backend.name).suffix
    return built_once(recipe, shared_folder / f"cts_{recipe.name}{suffix}")


def test_both_programs_write_the_same_label_maps(
    sharing: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    maps = assert_same_label_maps(sharing, image_folder, cpp_runner, mpm_deploy, tmp_path, batch=4)
    assert len(maps) == 5


def test_both_programs_count_the_same_tokens(
    sharing: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    kept = tokens_kept(sharing, image_folder, cpp_runner, mpm_deploy, tmp_path)
    assert kept["mean"][0] == 24 - 3 * SHARED > kept["mean"][1]


@pytest.mark.parametrize("name", cpu_recipes((), TRAINED))
def test_weights_that_were_trained_give_the_same_label_maps(
    name: str, shared_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    recipe = load_recipe(name).override(*TRAINED)
    artifact = built_once(recipe, shared_folder / f"demo_cts_{name}{recipe.backend.member.suffix}")
    maps = assert_same_label_maps(artifact, SCENES, cpp_runner, mpm_deploy, tmp_path, batch=4)
    assert len(maps) == 72
