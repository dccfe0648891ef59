"""Grids of scores that are not the patches of a square: finer ones, wide ones, padded ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.builder.build import build
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe
from tests.parity.conftest import smooth, with_manifest
from tests.parity.test_label_maps import assert_same_label_maps

SIZES = [(30, 150), (64, 96), (90, 40), (33, 410), (1, 1)]
# EoMT's, four times as fine; and one of 2 × 10 patches of 16 pixels, which reach beyond the input.
MODELS = {
    "fine": ("model.name=eomt_t16",),
    "padded": ("model.name=seg_t16_linear", "model.image_size=[30, 150]", "input.pad=center"),
}
SCORES = {"fine": (7, 16, 24), "padded": (7, 2, 10)}


@pytest.fixture(scope="module", params=MODELS)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def sliding(name, tmp_path_factory) -> Path:
    recipe = small_recipe().override("input.fit=slide_evenly", *MODELS[name])
    return build(recipe, tmp_path_factory.mktemp(name) / f"{name}.pt")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sizes")
    for index, (height, width) in enumerate(SIZES):
        Image.fromarray(smooth(height, width, seed=index)).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize("fit", ["resize", "slide_evenly"])
def test_both_programs_write_the_same_label_maps(
    sliding, name, fit, images, cpp_runner, mpm_deploy, tmp_path
):
    artifact = tmp_path / "it.pt"
    with_manifest(sliding, artifact, lambda manifest: manifest["input"].update(fit=fit))
    python = assert_same_label_maps(artifact, images, cpp_runner, mpm_deploy, tmp_path, batch=3)
    assert len(python) == len(SIZES)
    assert len(np.unique(np.concatenate([labels.ravel() for labels in python.values()]))) > 1
    if fit == "resize":
        shapes = {np.load(file).shape for file in (tmp_path / "p").glob("*.npy")}
        assert shapes == {SCORES[name]}


def test_probabilities_sum_to_one_and_the_best_score_is_the_best_of_them(sliding, images):
    """Whether scores are logits or sums of probabilities."""
    with Runner(sliding) as runner:
        result = runner(images / "0.png", outputs=("scores", "probabilities"))
    sums = result.probabilities.sum(axis=0)
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    assert (result.scores.argmax(axis=0) == result.probabilities.argmax(axis=0)).mean() > 0.99
