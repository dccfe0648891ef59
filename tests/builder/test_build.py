"""From a recipe to a file: whole and verified, or not there."""

import numpy as np
import pytest
import torch

import mpm_deploy
from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import Program, get_backend
from mpm_deploy.builder.build import build, open_eager
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.recipes import as_recipe
from mpm_deploy.errors import AgreementError, BuildError, ModelError, RecipeError
from mpm_deploy.models.weights.files import save_weights
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.run.runner import Runner
from tests.conftest import CLASSES, INPUT_SIZE, small_recipe


def test_the_manifest_says_what_was_built(artifact):
    manifest = read_manifest(artifact)
    recipe = small_recipe()
    assert manifest.recipe == recipe.to_dict()
    assert (manifest.input.height, manifest.input.width) == INPUT_SIZE
    assert len(manifest.model.classes) == len(manifest.model.palette) == CLASSES
    assert manifest.model.name == "seg_t16_mask"
    assert manifest.weights.origin == "random" and manifest.weights.sha256 is None
    assert manifest.merge.blocks == (2, 5)
    assert len(manifest.flops.stages) == 3
    assert manifest.agreement.images == 8
    assert manifest.agreement.labels >= 0.999 and min(manifest.agreement.clusters) >= 0.999
    assert manifest.requires.versions == {"torch": torch.__version__}


def test_the_full_token_model_has_one_stage_and_no_merges(full_token_artifact):
    manifest = read_manifest(full_token_artifact)
    assert manifest.merge.blocks == () and manifest.merge.options == {}
    assert len(manifest.flops.stages) == 1
    assert manifest.agreement.clusters == ()


def test_the_default_output_lies_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert build(small_recipe()).name == "segmenter.pt"
    assert [path.name for path in tmp_path.iterdir()] == ["segmenter.pt"]


def test_progress_names_every_step(tmp_path):
    steps: list[str] = []
    build(small_recipe(), tmp_path / "it.pt", progress=steps.append)
    assert len(steps) == 3 and "torchscript" in steps[1]


class _WrongProgram(Program):
    """Says class 0 everywhere."""

    def _scores(self, images):
        return torch.zeros(len(images), CLASSES, 4, 6), torch.zeros(len(images), 2, 24).int()

    def _labels(self, scores, size):
        return torch.zeros(len(scores), *size, dtype=torch.uint8)


def test_a_wrong_program_is_never_written(tmp_path, monkeypatch):
    backend = get_backend("torchscript")
    monkeypatch.setattr(
        type(backend), "load", lambda self, path, manifest, device: _WrongProgram(manifest, device)
    )
    with pytest.raises(AgreementError, match="nothing was written"):
        build(small_recipe(), tmp_path / "it.pt")
    assert list(tmp_path.iterdir()) == []


def write_weights(folder, **more):
    """Weights of a small linear model with two classes."""
    recipe = load_recipe("cpu_portable_fp32").override(
        "model.name=seg_t16_linear", "model.weights=random", "model.image_size=[64, 64]"
    )
    model, _ = make_model(recipe.override("model.classes=2"))
    path = folder / "trained.safetensors"
    about = {
        "model": "seg_t16_linear",
        "image_size": [64, 64],
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.2, 0.2],
        "classes": ["road", "sky"],
        "palette": [[128, 64, 128], [70, 130, 180]],
        **more,
    }
    save_weights(model, path, about)
    return path


@pytest.fixture
def weights(tmp_path):
    return write_weights(tmp_path)


def test_weights_bring_their_classes_size_and_normalization(weights, tmp_path):
    recipe = load_recipe("cpu_portable_fp32").override(
        "model.name=seg_t16_linear", f"model.weights={weights}"
    )
    manifest = read_manifest(build(recipe, tmp_path / "it.pt"))
    assert manifest.model.classes == ("road", "sky")
    assert (manifest.input.height, manifest.input.mean) == (64, (0.4, 0.5, 0.6))
    assert manifest.weights.origin == "trained.safetensors"
    assert len(manifest.weights.sha256) == 64


TESTED = {"fit": "slide", "stride": 48, "short_side": 80, "pad": "center"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((), ("slide", 48, 80, 4.0)),
        (("input.fit=slide",), ("slide", 48, 80, 4.0)),
        (("input.fit=slide", "input.stride=32"), ("slide", 32, 80, 4.0)),
        (("input.fit=resize",), ("resize", None, None, None)),
        (("input.fit=slide_evenly",), ("slide_evenly", None, None, None)),
    ],
)
def test_images_are_fitted_as_the_weights_were_tested_unless_the_recipe_says(
    changes, told, tmp_path
):
    path = write_weights(tmp_path, input=TESTED)
    recipe = load_recipe("cpu_portable_fp32").override(f"model.weights={path}", *changes)
    manifest = open_eager(recipe).manifest
    input = manifest.input
    assert (input.fit, input.stride, input.short_side, input.max_ratio) == told
    said = manifest.recipe["input"]
    assert said["pad"] == "center"  # it goes with any fit
    assert (said["fit"], said["stride"], said["short_side"]) == told[:3]
    assert open_eager(Recipe.from_dict(manifest.recipe)).manifest.input == input


def test_a_stride_of_the_weights_that_leaves_gaps_is_refused(tmp_path):
    path = write_weights(tmp_path, input=TESTED)
    recipe = load_recipe("cpu_portable_fp32").override(
        f"model.weights={path}", "model.image_size=[32, 64]"
    )
    with pytest.raises(RecipeError, match=r"input\.stride: expected at most 32, .* got 48"):
        open_eager(recipe)


def test_a_padded_input_has_patches_to_its_edges(tmp_path):
    """61 × 70 pixels are 4 × 5 patches, in the file, in its manifest and in what is run."""
    recipe = small_recipe().override("model.image_size=[61, 70]", "input.pad=center")
    path = build(recipe, tmp_path / "padded.pt")
    manifest = read_manifest(path)
    assert (manifest.input.height, manifest.input.width) == (61, 70)
    assert (manifest.grid, manifest.patches) == ((4, 5), 20)
    assert [output.shape for output in manifest.outputs] == [(CLASSES, 4, 5), (2, 20)]
    with Runner(path) as runner:
        assert runner.check_sample() == 1
        result = runner(np.zeros((30, 90, 3), np.uint8), outputs=("labels", "scores"))
    assert (result.labels.shape, result.scores.shape) == ((30, 90), (CLASSES, 4, 5))
    assert result.merge_maps.shape == (2, 20)


@pytest.mark.parametrize("other", ["model.name=seg_s16_linear", "model.classes=3"])
def test_weights_for_another_model_are_a_recipe_error(weights, other):
    recipe = load_recipe("cpu_portable_fp32").override(
        "model.name=seg_t16_linear", f"model.weights={weights}"
    )
    with pytest.raises(RecipeError, match=r"trained\.safetensors"):
        build(recipe.override(other))


def test_weights_bring_their_heads_options(tmp_path):
    pair = ("model.backbone=vit_tiny_patch16", "model.head=eomt", "model.image_size=[64, 64]")
    random = load_recipe("cpu_portable_fp32").override("model.weights=random", *pair)
    model, _ = make_model(random.override("model.queries=3", "model.classes=2"))
    path = tmp_path / "trained.safetensors"
    about = {
        "model": "eomt_t16",
        "image_size": [64, 64],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "classes": ["road", "sky"],
        "palette": [[128, 64, 128], [70, 130, 180]],
        "head": {"queries": 3},
    }
    save_weights(model, path, about)
    recipe = load_recipe("cpu_portable_fp32").override(f"model.weights={path}")
    assert make_model(recipe)[0].decoder.queries == 3
    named = recipe.override(*pair)
    assert make_model(named)[0].decoder.queries == 3
    assert make_model(named.override("model.queries=3"))[0].decoder.queries == 3
    with pytest.raises(RecipeError, match=r"model.queries: expected 3, .* got 5"):
        make_model(named.override("model.queries=5"))


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("model.image_size=[100, 96]", "model.image_size: expected multiples of the patch size 16"),
        ("merge.blocks=[2, 99]", "merge.blocks: expected rising block numbers from 0 to 11"),
    ],
)
def test_what_does_not_fit_the_model_is_named_with_its_recipe_key_and_cure(setting, problem):
    with pytest.raises(ModelError) as caught:
        make_model(small_recipe().override(setting))
    assert caught.value.problem.startswith(f"recipe 'cpu_portable_fp32': {problem}")
    assert caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_recipe_without_a_gpu_says_so(tmp_path):
    with pytest.raises(BuildError, match=r"h100_bf16.*CUDA"):
        build(load_recipe("h100_bf16"), tmp_path / "it.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_stride_that_leaves_gaps_between_windows_is_refused(tmp_path):
    recipe = small_recipe().override("input.fit=slide", "input.stride=65")
    with pytest.raises(RecipeError, match=r"input\.stride: expected at most 64, .* got 65"):
        build(recipe, tmp_path / "gaps.pt")
    assert not list(tmp_path.iterdir())


def test_a_recipe_is_read_from_wherever_it_is(artifact, tmp_path):
    recipe = small_recipe()
    assert as_recipe(recipe) is recipe
    assert as_recipe("cpu_fp32") == load_recipe("cpu_fp32")
    assert as_recipe(artifact) == as_recipe(str(artifact)) == recipe
    with pytest.raises(RecipeError, match="'cpu_fp23'"):
        mpm_deploy.build("cpu_fp23", tmp_path / "it.pt")


@pytest.mark.parametrize("recipe", [3, None, {"name": "it"}])
def test_what_is_no_recipe_is_named(recipe, tmp_path):
    with pytest.raises(RecipeError, match=f"expected a Recipe, .* got {type(recipe).__name__}"):
        build(recipe, tmp_path / "it.pt")
