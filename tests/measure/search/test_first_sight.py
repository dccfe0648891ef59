"""A first look at ways of merging: it sees what the built files say."""

from pathlib import Path
from statistics import fmean

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.measure.search.first_sight import FirstLook
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe

RECIPE = small_recipe()


def test_it_sees_what_the_artifacts_say(
    artifact: Path, full_token_artifact: Path, image_folder: Path
) -> None:
    images = sorted(image_folder.iterdir())
    sight = FirstLook(RECIPE, images, None)(RECIPE.merge)
    agreements, flops = [], []
    with Runner(artifact) as merged, Runner(full_token_artifact) as full_token:
        for image in images:
            result, manifest = merged(image), merged.manifest
            agreements.append(float((result.labels == full_token(image).labels).mean()))
            flops.append(manifest.flops.total((manifest.patches, *result.tokens_kept)))
    assert sight.name == "mpm [2, 5]" and sight.skipped is None
    assert sight.gflops == pytest.approx(fmean(flops) / 1e9)
    assert sight.agreements == pytest.approx(agreements, abs=1e-3)


def test_the_full_token_model_agrees_with_itself(image_folder: Path) -> None:
    sight = FirstLook(RECIPE, sorted(image_folder.iterdir()), 1)(RECIPE.full_token().merge)
    assert set(sight.agreements) == {1.0}


def test_of_many_images_a_few_are_taken_and_broken_ones_passed_over(
    image_folder: Path, tmp_path: Path
) -> None:
    broken, image = tmp_path / "broken.png", image_folder / "image_0.jpg"
    broken.write_bytes(b"text")
    look = FirstLook(RECIPE, [broken, *40 * [image]], None)
    assert len(look(MergeRecipe("mpm", (1, 3, 5))).agreements) == 13
    with pytest.raises(InputError, match=r"none of its 1 images could be used; the first: "):
        FirstLook(RECIPE, [broken], None)
