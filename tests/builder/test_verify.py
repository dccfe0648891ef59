"""The comparison that stands between a compiled model and its file."""

import pytest
import torch

from mpm_deploy.artifact import Agreement
from mpm_deploy.backends.eager import EagerProgram
from mpm_deploy.builder.build import build, open_eager
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.verify import (
    check_accuracy,
    check_agreement,
    check_photos,
    measure_agreement,
    photos_in,
    same_cluster,
    verification_images,
)
from mpm_deploy.datasets import open_dataset
from mpm_deploy.errors import AgreementError, DatasetError, InputError
from mpm_deploy.images.decode import decode, fit
from mpm_deploy.models import create
from mpm_deploy.models.weights.files import save_weights
from mpm_deploy.recipe import VerifyRecipe, load_recipe
from tests.conftest import small_recipe
from tests.datasets.made_up import make
from tests.models.weights.test_weights import ABOUT


def test_clusters_are_compared_as_sets_whatever_their_numbers():
    one = torch.tensor([[0, 1, 0, 2, 1, 3]])
    renumbered = torch.tensor([[3, 0, 3, 1, 0, 2]])
    assert same_cluster(one, renumbered).all()


def test_a_patch_that_moved_changes_both_its_clusters():
    one = torch.tensor([[0, 1, 0, 2, 1, 3]])
    moved = torch.tensor([[0, 1, 0, 0, 1, 3]])  # patch 3 joined patches 0 and 2
    assert same_cluster(one, moved).tolist() == [[False, True, False, False, True, True]]


def test_no_merges_agree():
    assert same_cluster(torch.zeros(0, 5).int(), torch.zeros(0, 5).int()).shape == (0, 5)


def test_verification_images_are_seeded_and_all_different():
    images = verification_images(8, (64, 96))
    assert images.shape == (8, 3, 64, 96) and images.dtype == torch.uint8
    assert torch.equal(images, verification_images(8, (64, 96)))
    assert len({image.numpy().tobytes() for image in images}) == 8
    assert images.float().std() > 20


@pytest.mark.parametrize("agreement", [Agreement(8, 0.99, (1.0,)), Agreement(8, 1.0, (1.0, 0.99))])
def test_a_miss_is_an_error(agreement):
    with pytest.raises(AgreementError, match="nothing was written"):
        check_agreement(agreement, VerifyRecipe())


def test_a_full_token_model_has_no_clusters_to_miss():
    check_agreement(Agreement(8, 1.0, ()), VerifyRecipe())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_that_overflow_build_nothing(tmp_path, dtype):
    """Each is finite, and what the model computes of them is not."""
    model = create("seg_t16_linear", classes=2, image_size=(64, 96))
    with torch.no_grad():
        model.encoder.blocks[3].fc1.weight.mul_(1e30)
    weights, target = tmp_path / "large.safetensors", tmp_path / "it.pt"
    save_weights(model, weights, ABOUT)
    recipe = load_recipe("cpu_portable_fp32").with_weights(str(weights))
    with pytest.raises(
        AgreementError, match=r"the eager model: expected finite scores .* 48 of 48"
    ):
        build(recipe.override(f"backend.dtype={dtype}"), target)
    assert not target.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -(2.0**127)])
def test_scores_of_the_compiled_model_that_make_no_label_map_are_refused(value):
    recipe = small_recipe()
    model, _ = make_model(recipe)
    opened = open_eager(recipe)

    class Compiled(EagerProgram):
        def scores(self, images):
            scores, merge_maps = super().scores(images)
            changed = scores.clone()
            changed[0, 3, 1, 2] = value
            return changed, merge_maps

    images = verification_images(8, model.image_size)
    with pytest.raises(AgreementError, match=r"the compiled model: .*, got 1 of 168 that are NaN"):
        measure_agreement(model, Compiled(model, opened.manifest), images)


def test_labels_of_photos_are_held_to_the_model_in_float32(image_folder):
    recipe = small_recipe()
    program = open_eager(recipe.override("backend.dtype=bfloat16")).program
    model, _ = make_model(recipe)

    def photos():
        return photos_in(str(image_folder), model.image_size)

    check_photos(model, program, photos(), least=0.5)
    with pytest.raises(AgreementError, match=r"on 5 photos: 0\.\d+ .* \(expected 1\.0\)") as caught:
        check_photos(model, program, photos(), least=1.0)
    assert "backend.dtype" in caught.value.hint


@pytest.mark.parametrize("key", ["verify.photos", "backend.calibration"])
def test_a_folder_without_photos_is_refused_before_anything_is_made(tmp_path, key):
    recipe = small_recipe("cpu_fp32")
    if key == "backend.calibration":
        recipe = recipe.override("backend.dtype=int8", f"{key}={tmp_path}")
    else:
        recipe = recipe.override(f"{key}={tmp_path}")
    steps: list[str] = []
    with pytest.raises(InputError, match="no image in this folder"):
        build(recipe, tmp_path / "it.pt2", progress=steps.append)
    assert steps == [] and list(tmp_path.iterdir()) == []


def test_accuracy_is_held_to_that_of_the_model_in_float32(tmp_path):
    """True is what the model in float32 says."""
    recipe = small_recipe()
    model, program = make_model(recipe)[0], open_eager(recipe).program

    def true_labels(path):
        image = decode(path)
        scores, _ = program.scores(fit(image, model.image_size)[None])
        return program.labels(scores, tuple(image.shape[1:]))[0].numpy()

    make("folder", tmp_path, true_labels)
    dataset = open_dataset(str(tmp_path))
    rounded = open_eager(recipe.override("backend.dtype=bfloat16")).program
    check_accuracy(model, program, dataset, most=0.0)
    check_accuracy(model, rounded, dataset, most=100.0)
    lost = (
        r"on the 5 images of .*, that in float32 100\.00: \d+\.\d\d points are lost \(expected 0\.0"
    )
    with pytest.raises(AgreementError, match=lost) as caught:
        check_accuracy(model, rounded, dataset, most=0.0)
    assert "backend.dtype" in caught.value.hint


def test_a_data_set_without_a_pixel_that_counts_is_refused(tmp_path):
    recipe = small_recipe()
    make("folder", tmp_path, lambda path: torch.full(decode(path).shape[1:], 255).numpy())
    with pytest.raises(AgreementError, match="nan points"):
        dataset = open_dataset(str(tmp_path))
        check_accuracy(make_model(recipe)[0], open_eager(recipe).program, dataset, most=100.0)


def test_a_data_set_that_does_not_fit_is_refused_before_anything_is_compiled(tmp_path):
    recipe = small_recipe("cpu_fp32").override(f"verify.dataset={tmp_path / 'scenes'}")
    target = tmp_path / "it.pt2"
    steps: list[str] = []
    with pytest.raises(DatasetError, match="neither a data set's name nor a folder"):
        build(recipe, target, progress=steps.append)
    assert steps == []
    make("folder", tmp_path / "scenes")
    (tmp_path / "scenes" / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(InputError, match="expected the 2 classes of folder, got 7"):
        build(recipe, target, progress=steps.append)
    assert steps == ["making the model"] and not target.exists()
