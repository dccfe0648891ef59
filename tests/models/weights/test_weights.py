"""Weights files: what is written is read, and what does not fit is named."""

import tomllib
from dataclasses import asdict

import pytest
import tomli_w
import torch

from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import ModelError, RecipeError
from mpm_deploy.models import create
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.resizing import resample_patches, resize_position
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.heads.eomt import EomtHead
from mpm_deploy.models.reductions import Cts
from mpm_deploy.models.weights.files import (
    DEMO_WEIGHTS,
    DEMOS,
    convert_weights,
    family_of,
    head_of,
    load_encoder_into,
    load_into,
    read_weights,
    save_weights,
)
from mpm_deploy.models.weights.safetensors_file import load_tensors
from mpm_deploy.recipe import Recipe
from tests.models.small_eva import FAMILY, HEAD, NAME

ABOUT = {
    "model": "seg_t16_linear",
    "image_size": [64, 96],
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "classes": ["road", "sky"],
    "palette": [[128, 64, 128], [70, 130, 180]],
    "provenance": {"script": "a test"},
}


@pytest.fixture
def model():
    return create("seg_t16_linear", classes=2, image_size=(64, 96))


@pytest.fixture
def weights(model, tmp_path):
    path = tmp_path / "some.safetensors"
    save_weights(model, path, ABOUT)
    return path


def test_weights_come_back_rounded_to_bfloat16(model, weights):
    tensors, info = read_weights(weights)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensors[name], tensor.bfloat16().float())
    assert (info.origin, info.image_size, info.classes) == (
        "some.safetensors",
        (64, 96),
        ("road", "sky"),
    )
    assert info.palette[1] == (70, 130, 180)
    assert len(info.sha256) == 64


def test_missing_unexpected_and_misshapen_keys_are_named(model, weights):
    tensors, _ = read_weights(weights)
    head = tensors.pop("decoder.head.weight")
    with pytest.raises(ModelError, match=r"missing \['decoder.head.weight'\]"):
        load_into(model, tensors, "it")
    with pytest.raises(ModelError, match=r"unexpected \['more'\]"):
        load_into(model, {**tensors, "decoder.head.weight": head, "more": head}, "it")
    with pytest.raises(ModelError, match=r"decoder.head.weight: expected shape \(2, 192\)"):
        load_into(model, {**tensors, "decoder.head.weight": head[:1]}, "it")


def test_positions_are_resized_to_another_input(model):
    square = create("seg_t16_linear", classes=2, image_size=(128, 128))
    load_into(model, square.state_dict(), "it")
    assert model.encoder.position.shape == (4 * 6, 192)


def test_a_grid_that_is_not_square_is_that_of_the_weights_input(model):
    tall = create("seg_t16_linear", classes=2, image_size=(192, 32))  # as many patches as 4 by 6
    expected = resize_position(tall.encoder.position, (12, 2), (4, 6), "bilinear")
    load_into(model, tall.state_dict(), "it", (192, 32))
    assert torch.equal(model.encoder.position, expected)


def test_patches_of_another_size_are_resampled(model):
    smaller = EncoderConfig((56, 84), patch_size=14, norm_epsilon=1e-5)
    tensors = {f"encoder.{name}": tensor for name, tensor in Encoder(smaller).state_dict().items()}
    load_encoder_into(model, tensors, "it", (56, 84))
    projection = resample_patches(tensors["encoder.patch_embed.weight"], 16)
    assert torch.equal(model.encoder.patch_embed.weight, projection)


def test_positions_are_resized_from_the_grid_that_they_were_trained_on():
    """As many positions of another shape are other positions."""
    rows = torch.arange(4.0)[:, None, None].expand(4, 8, 192)  # the row of each, on 4 × 8
    high = create("seg_t16_linear", classes=2, image_size=(128, 64))
    tensors = {**high.state_dict(), "encoder.position": rows.flatten(0, 1)}
    load_into(high, tensors, "it", image_size=(64, 128))
    position = high.encoder.position.unflatten(0, (8, 4))
    assert torch.equal(position[::7], torch.tensor([0.0, 3.0])[:, None, None].expand(2, 4, 192))
    load_into(high, tensors, "it")  # of its own grid, as far as anybody knows
    assert torch.equal(high.encoder.position, tensors["encoder.position"])


def test_squares_are_laid_over_a_wide_input():
    square = create("seg_t16_linear", classes=2, image_size=(96, 96))
    wide = create("seg_t16_linear", classes=2, image_size=(48, 192))  # 3 × 12 for 6 × 6
    load_into(wide, square.state_dict(), "it", image_size=(96, 96))
    expected = resize_position(square.encoder.position, (6, 6), (3, 12), "bilinear")
    assert torch.equal(wide.encoder.position, expected)


def some_tuned(model, folder, base="some.safetensors"):
    """The model with another head, saved as what differs from a base."""
    with torch.no_grad():
        model.decoder.head.bias.fill_(3.0)
    path = folder / "tuned.safetensors"
    save_weights(model, path, ABOUT | {"base": base})
    return path


def test_of_tuned_weights_a_file_holds_what_differs_from_their_base(model, weights, tmp_path):
    base, base_info = read_weights(weights)
    tuned = some_tuned(model, tmp_path)
    assert list(load_tensors(tuned)) == ["decoder.head.bias"]
    tensors, info = read_weights(tuned)
    assert tensors.keys() == base.keys()
    for name, tensor in base.items():
        assert torch.equal(tensors[name], tensor) == (name != "decoder.head.bias")
    assert (info.origin, info.base) == ("tuned.safetensors", None)
    whole = tmp_path / "whole.safetensors"
    convert_weights(tuned, whole)
    weights.unlink()
    assert all(torch.equal(read_weights(whole)[0][name], tensors[name]) for name in tensors)
    assert info.sha256 != base_info.sha256


def test_a_changed_base_makes_other_weights(model, weights, tmp_path):
    tuned = some_tuned(model, tmp_path)
    before = read_weights(tuned)[1].sha256
    save_weights(create("seg_t16_linear", classes=2, image_size=(64, 96), seed=1), weights, ABOUT)
    assert read_weights(tuned)[1].sha256 != before


def test_the_demo_may_be_a_base(tmp_path):
    tensors, info = read_weights("demo")
    model = create("seg_t16_mask", classes=len(info.classes))
    load_into(model, tensors, "demo")
    with torch.no_grad():
        model.encoder.special.zero_()
    about = tomllib.loads(DEMO_WEIGHTS.with_suffix(".toml").read_text())
    path = tmp_path / "it.safetensors"
    save_weights(model, path, about | {"base": "demo"})
    assert list(load_tensors(path)) == ["encoder.special"]
    assert read_weights(path)[0].keys() == tensors.keys()


@pytest.mark.parametrize(
    ("base", "problem", "cure"),
    [
        ("tuned.safetensors", "base: expected weights that are whole, got 'tuned", "convert"),
        ("none.safetensors", "none.safetensors: cannot be read", "NAME.toml beside it"),
        ("../some.safetensors", "base: expected 'demo' or a file beside it, got '../", "write it"),
        ("", "base: expected 'demo' or a file beside it, got ''", "write it"),
    ],
)
def test_a_base_that_is_none_is_refused(model, weights, tmp_path, base, problem, cure):
    tuned = some_tuned(model, tmp_path)
    tuned.with_suffix(".toml").write_text(tomli_w.dumps(ABOUT | {"base": base}))
    with pytest.raises(ModelError) as caught:
        read_weights(tuned)
    assert problem in caught.value.problem and cure in caught.value.hint


def with_policy(**options):
    method = Cts(**{"shared": 2, **options})
    return create("seg_t16_linear", classes=2, image_size=(64, 96), blocks=(0,), method=method)


@pytest.fixture
def shared(tmp_path):
    """Weights that were trained with sharing."""
    path = tmp_path / "shared.safetensors"
    save_weights(
        with_policy(), path, ABOUT | {"merge": {"method": "cts", "blocks": [0], "shared": 2}}
    )
    return path


def test_weights_of_a_merge_method_come_with_those_of_the_model(shared):
    tensors, info = read_weights(shared)
    model = with_policy()
    load_into(model, tensors, "it")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, tensors[name])
    assert info.trained_merge.member == Cts(2) and info.trained_merge.blocks == (0,)


def test_a_model_without_that_method_leaves_them_out(model, shared):
    load_into(model, read_weights(shared)[0], "it")
    assert not [name for name in model.state_dict() if "policy" in name]


def test_weights_without_those_of_the_method_are_refused(weights):
    with pytest.raises(ModelError) as caught:
        load_into(with_policy(), read_weights(weights)[0], "it")
    assert "it: expected weights of the merge method too" in caught.value.problem
    assert (
        "'encoder.blocks.0.reduction.policy.backbone.blocks.0.0.conv_dw.bias' and 97 more"
        in str(caught.value)
    )
    assert "trained with this merge.method" in caught.value.hint
    assert "--weights random" in caught.value.hint


def test_some_of_the_methods_weights_are_not_enough(shared):
    tensors = read_weights(shared)[0]
    del tensors["encoder.blocks.0.reduction.policy.head.bias"]
    with pytest.raises(ModelError, match=r"missing \['encoder.blocks.0.reduction.policy.head.bias"):
        load_into(with_policy(), tensors, "it")


def test_an_encoder_alone_leaves_the_methods_weights_random(weights):
    tensors = {n: each for n, each in read_weights(weights)[0].items() if n.startswith("encoder.")}
    model, before = with_policy(), with_policy().state_dict()
    load_encoder_into(model, tensors, "it")
    for name, tensor in model.state_dict().items():
        if "policy" in name:
            assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("damage", ["no file", "no toml", "cut", "toml", "key"])
def test_damaged_files_are_model_errors(weights, damage):
    toml = weights.with_suffix(".toml")
    match damage:
        case "no file":
            weights.unlink()
        case "no toml":
            toml.unlink()
        case "cut":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "toml":
            toml.write_text("model = ")
        case "key":
            toml.write_text('model = "seg_t16_linear"')
    with pytest.raises(ModelError):
        read_weights(weights)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("std = [0.0, 0.5, 0.5]", "std: expected finite numbers above 0, got (0.0, 0.5, 0.5)"),
        ("std = [nan, 0.5, 0.5]", "std: expected finite numbers above 0"),
        ("mean = [inf, 0.5, 0.5]", "mean: expected finite numbers, got (inf, 0.5, 0.5)"),
        ("mean = [0.5, 0.5]", "mean: expected 3 values"),
        ("image_size = [64.5, 96]", "image_size[0]: expected a whole number, got 64.5"),
        ("classes = []", "classes: expected one name or more"),
        ("classes = 'ab'", "classes: expected a list, got 'ab'"),
        ("palette = [[1, 2, 3]]", "palette: expected a color for each of 2 classes, got 1"),
        ("palette = [[300, 2, 3], [1, -1, 3]]", "palette: expected numbers from 0 to 255, got [-1"),
    ],
)
def test_what_lies_beside_weights_is_checked(weights, line, problem):
    toml = weights.with_suffix(".toml")
    key = line.partition(" ")[0]
    about = {name: value for name, value in ABOUT.items() if name not in (key, "provenance")}
    toml.write_text(f"{tomli_w.dumps(about)}{line}\n")
    with pytest.raises(ModelError) as caught:
        read_weights(weights)
    assert caught.value.problem.startswith(f"{toml}: {problem}")
    assert "mpm-deploy convert" in caught.value.hint


def test_weights_say_the_options_of_their_head(tmp_path):
    head = EomtHead(queries=3, upscaling=1)
    eomt = create("eomt_t16", classes=2, image_size=(64, 96), head=head)
    path = tmp_path / "it.safetensors"
    save_weights(eomt, path, ABOUT | {"model": "eomt_t16", "head": {"queries": 3, "upscaling": 1}})
    tensors, info = read_weights(path)
    assert head_of(info) == head
    load_into(create("eomt_t16", classes=2, image_size=(64, 96), head=head_of(info)), tensors, "")


def test_weights_say_the_options_of_their_backbone_too(tmp_path):
    parts = {"head": HEAD, "family": FAMILY}
    eva = create(NAME, classes=2, image_size=(64, 96), blocks=(), **parts)
    path = tmp_path / "it.safetensors"
    options = {"backbone": asdict(FAMILY), "head": asdict(HEAD)}
    save_weights(eva, path, ABOUT | {"model": NAME, **options})
    info = read_weights(path)[1]
    assert (family_of(info), head_of(info)) == (FAMILY, HEAD)
    recipe = Recipe.from_dict({"name": "mine", "model": {"weights": str(path)}})
    model, _ = make_model(recipe)
    for name, tensor in eva.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor.bfloat16().float()), name
    wider = {"backbone": "eva_giant_patch16_adapter", "head": "mask2former", "width": 64}
    other = Recipe.from_dict({"name": "mine", "model": {"weights": str(path), **wider}})
    with pytest.raises(RecipeError, match=r"model\.width: expected 32, .* got 64"):
        make_model(other)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"depth": 2}, "head.depth: unknown key"), ({"taps": 0}, "head.taps: expected > 0, got 0")],
)
def test_options_that_a_head_does_not_take_are_refused(model, tmp_path, options, problem):
    path = tmp_path / "it.safetensors"
    save_weights(model, path, ABOUT | {"head": options})
    with pytest.raises(ModelError) as caught:
        head_of(read_weights(path)[1])
    assert caught.value.problem == f"it.safetensors: {problem}"


def test_a_demo_is_asked_for_by_its_model():
    assert read_weights("demo")[1].model == "seg_t16_mask"
    with pytest.raises(ModelError, match="a demo, seg_t16_mask or eomt_t16, got 'seg_s16_mask'"):
        read_weights("demo", "seg_s16_mask")


@pytest.mark.parametrize("name", DEMOS)
def test_demos_are_of_the_models_that_they_are_named_for(name):
    tensors, info = read_weights("demo", name)
    assert (info.model, info.origin) == (name, "demo")
    load_into(create(name, classes=len(info.classes), head=head_of(info)), tensors, "demo")


@pytest.mark.parametrize(
    ("table", "problem", "cure"),
    [
        ({"fit": "slid"}, "input.fit: unknown value 'slid'; allowed are resize, ", "'slide'"),
        ({"stride": 9}, "input.stride: expected none with fit 'resize'", "input.fit to 'slide'"),
        ({"padding": "center"}, "input.padding: unknown key; allowed are fit, pad", "'pad'"),
        ({"fit": "slide", "stride": 0}, "input.stride: expected > 0, got 0", "as `mpm-deploy"),
    ],
)
def test_the_input_beside_weights_is_checked_as_a_recipes(weights, table, problem, cure):
    toml = weights.with_suffix(".toml")
    toml.write_text(tomli_w.dumps({**ABOUT, "input": table}))
    with pytest.raises(ModelError) as caught:
        read_weights(weights)
    assert caught.value.problem.startswith(f"{toml}: {problem}")
    assert cure in caught.value.hint
