"""Official Segmenter checkpoints: read exactly, held to a plain forward, and never run."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import get_backend
from mpm_deploy.builder.build import build
from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import (
    HostError,
    InputError,
    MissingPackageError,
    ModelError,
    MpmError,
    RecipeError,
)
from mpm_deploy.models.weights.classes import classes_of
from mpm_deploy.models.weights.files import convert_weights, read_weights
from mpm_deploy.models.weights.readers.checkpoints import read_checkpoint
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.run.runner import Runner
from tests.conftest import cpu_recipes
from tests.models import official
from tests.models.plain_segmenter import plain_pixel_scores, plain_scores

TOLERANCE = 1e-4  # of scores with deviation 1, in float32; measured are 2e-5 at most

CASES = [
    ("vit_tiny_patch16_384", "mask_transformer", "seg_t16_mask"),
    ("vit_tiny_patch16_384", "linear", "seg_t16_linear"),
    ("vit_small_patch16_384", "mask_transformer", "seg_s16_mask"),
    ("vit_base_patch16_384", "mask_transformer", "seg_b16_mask"),
    ("vit_base_patch16_384", "linear", "seg_b16_linear"),
    ("vit_base_patch8_384", "mask_transformer", "seg_b8_mask"),
    ("deit_base_distilled_patch16_384", "mask_transformer", "seg_deit_b16_mask"),
    ("deit_tiny_distilled_patch16_224", "linear", "seg_deit_t16_linear"),
    pytest.param(
        *("vit_large_patch16_384", "mask_transformer", "seg_l16_mask"), marks=pytest.mark.slow
    ),
]


def recipe_for(checkpoint: Path, *changes: str) -> Recipe:
    recipe = load_recipe("cpu_portable_fp32").with_weights(str(checkpoint))
    return recipe.override(*changes).full_token()


def images_of(height: int, width: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(height + width)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (255 * smooth).to(torch.uint8)


def parts_of(checkpoint: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and network, read as Segmenter itself reads them."""
    text = checkpoint.with_name("variant.yml").read_text()
    net = yaml.load(text, Loader=yaml.FullLoader)["net_kwargs"]
    return torch.load(checkpoint, weights_only=True)["model"], net


def expected_scores(checkpoint: Path, images: Tensor, eps: float = 1e-5) -> Tensor:
    weights, net = parts_of(checkpoint)
    return torch.stack([plain_scores(weights, net, image, eps) for image in images])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return official.write_checkpoint(tmp_path, "vit_tiny_patch16_384")


@pytest.mark.parametrize(("backbone", "head", "name"), CASES)
def test_scores_are_those_of_a_plain_segmenter(
    tmp_path: Path, backbone: str, head: str, name: str
) -> None:
    checkpoint = official.write_checkpoint(tmp_path, backbone, head=head)
    model, info = make_model(recipe_for(checkpoint))
    assert info.model == name
    images = images_of(64, 64)
    with torch.no_grad():
        scores, _ = model(images)
    assert torch.allclose(scores, expected_scores(checkpoint, images), rtol=0, atol=TOLERANCE)


def test_the_tolerance_tells_epsilons_apart(tiny: Path) -> None:
    images = images_of(64, 64)
    difference = expected_scores(tiny, images) - expected_scores(tiny, images, eps=1e-6)
    assert difference.abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("size", [480, 512, 640, 768])
def test_the_input_is_what_it_was_trained_at(tmp_path: Path, size: int) -> None:
    checkpoint = official.write_checkpoint(tmp_path, "vit_tiny_patch16_384", size=size)
    model, info = make_model(recipe_for(checkpoint))
    assert info.image_size == model.image_size == (size, size)
    position = parts_of(checkpoint)[0]["encoder.pos_embed"]
    assert torch.equal(model.encoder.position, position[0, 1:])


@pytest.mark.parametrize("size", [(96, 96), (64, 128), (32, 48)])
def test_positions_are_resized_as_segmenter_does(tiny: Path, size: tuple[int, int]) -> None:
    model, _ = make_model(recipe_for(tiny, f"model.image_size=[{size[0]}, {size[1]}]"))
    images = images_of(*size)
    with torch.no_grad():
        scores, _ = model(images)
    assert torch.allclose(scores, expected_scores(tiny, images), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("backbone", "head"),
    [
        ("vit_tiny_patch16_384", "mask_transformer"),
        ("deit_tiny_distilled_patch16_224", "linear"),
    ],
)
def test_an_artifact_of_a_checkpoint_computes_the_same(
    tmp_path: Path, backbone: str, head: str
) -> None:
    checkpoint = official.write_checkpoint(tmp_path, backbone, head=head)
    path = build(recipe_for(checkpoint), tmp_path / "it.pt")
    program = get_backend("torchscript").load(path, read_manifest(path), torch.device("cpu"))
    images = images_of(64, 64)
    scores = torch.cat([program.scores(image[None])[0] for image in images])
    assert torch.allclose(scores, expected_scores(checkpoint, images), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", cpu_recipes(quick=("cpu_portable_fp32",)))
def test_label_maps_of_an_artifact_are_those_of_a_plain_segmenter(
    tiny: Path, tmp_path: Path, name: str
) -> None:
    recipe = load_recipe(name).with_weights(str(tiny)).full_token()
    if recipe.backend.dtype != "float32":
        pytest.skip("labels are compared in float32")
    path = build(recipe, tmp_path / f"it{get_backend(recipe.backend.name).suffix}")
    (image,) = images_of(64, 64, count=1)
    scores = plain_pixel_scores(*parts_of(tiny), image)
    with Runner(path) as runner:
        labels = torch.from_numpy(runner(image.permute(1, 2, 0).numpy()).labels)
    best, second = scores.topk(2, dim=0).values
    clear = best - second > 10 * TOLERANCE  # elsewhere rounding decides
    assert clear.float().mean() > 0.99
    assert torch.equal(labels[clear].long(), scores.argmax(0)[clear])


def test_the_manifest_says_what_the_checkpoint_is(tmp_path: Path) -> None:
    checkpoint = official.write_checkpoint(
        tmp_path, "deit_tiny_distilled_patch16_224", head="linear", classes=19
    )
    manifest = read_manifest(build(recipe_for(checkpoint), tmp_path / "it.pt"))
    assert manifest.model.name == "seg_deit_t16_linear"
    assert manifest.model.special_tokens == 2
    assert manifest.model.classes[:2] == ("road", "sidewalk")
    assert manifest.model.palette[0] == (128, 64, 128)
    assert (manifest.input.height, manifest.input.width) == (64, 64)
    assert manifest.input.mean == (0.485, 0.456, 0.406)
    assert manifest.input.std == (0.229, 0.224, 0.225)
    assert manifest.weights.origin == "checkpoint.pth" and len(manifest.weights.sha256 or "") == 64


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [
        (150, "wall", "flag"),
        (19, "road", "bicycle"),
        (60, "background", "wood"),
        (59, "aeroplane", "wood"),
        (7, "class 0", "class 6"),
    ],
)
def test_classes_are_known_by_their_number(count: int, first: str, last: str) -> None:
    names, palette = classes_of(count)
    assert (names[0], names[-1]) == (first, last)
    assert len(names) == len(set(names)) == len(palette) == count
    assert all(0 <= value <= 255 for color in palette for value in color)


def test_converted_weights_are_the_same_numbers(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny.safetensors"
    convert_weights(tiny, target)
    tensors, info = read_checkpoint(tiny)
    converted, info_of_converted = read_weights(target)
    assert converted.keys() == tensors.keys()
    assert all(torch.equal(converted[name], tensors[name]) for name in tensors)
    assert (info_of_converted.origin, info_of_converted.classes) == (target.name, info.classes)
    assert (info_of_converted.model, info_of_converted.mean) == (info.model, info.mean)
    assert info.sha256 in target.with_suffix(".toml").read_text()


# ---- as others' trainings save it ----


def in_front(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


WAYS_TO_SAVE = {
    "alone": lambda model: model,
    "DataParallel": lambda model: in_front("module.", model),
    "compiled": lambda model: {"model": in_front("_orig_mod.", model)},
    "compiled and DataParallel": lambda model: {"model": in_front("module._orig_mod.", model)},
    "compiled encoder": lambda model: {
        "model": {n.replace("encoder.", "encoder._orig_mod."): t for n, t in model.items()}
    },
    "Lightning": lambda model: {
        "pytorch-lightning_version": "2.0",
        "state_dict": in_front("model.", model),
        "optimizer_states": [],
    },
    "model_state_dict": lambda model: {"model_state_dict": model, "optimizer_state_dict": {}},
    "average alone": lambda model: {"model_ema": in_front("module.", model)},
    "average beside it": lambda model: {
        "state_dict_ema": {name: tensor + 1 for name, tensor in model.items()},
        "state_dict": model,
    },
    "AveragedModel": lambda model: {
        "model": {"n_averaged": torch.tensor(3), **in_front("module.", model)}
    },
}


@pytest.mark.parametrize("way", WAYS_TO_SAVE)
def test_wrappers_and_other_places_are_understood(tiny: Path, way: str) -> None:
    expected, _ = read_checkpoint(tiny)
    torch.save(WAYS_TO_SAVE[way](parts_of(tiny)[0]), tiny)
    weights, _ = read_checkpoint(tiny)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


# ---- bad input ----


class _Runs:
    """Unpickling it makes a folder."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.proof),)


def refused(checkpoint: Path) -> ModelError:
    """The error of reading it: one line, with the file's name and a cure."""
    with pytest.raises(ModelError) as caught:
        read_checkpoint(checkpoint)
    error = caught.value
    assert error.problem.startswith(f"{checkpoint.parent}{os.sep}")
    assert "\n" not in error.problem and error.hint
    return error


@pytest.mark.parametrize("where", ["whole", "inside"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_does_not(tiny: Path, where: str, zipped: bool) -> None:
    proof = tiny.with_name("was_run")
    hostile: Any = _Runs(proof)
    if where == "inside":
        hostile = torch.load(tiny, weights_only=True) | {"epoch": hostile}
    torch.save(hostile, tiny, _use_new_zipfile_serialization=zipped)
    error = refused(tiny)
    assert "mkdir" in error.problem and "nothing in it was run" in error.problem
    assert "save its tensors alone" in (error.hint or "")
    assert not proof.exists()


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.mkdir ['{proof}']",
        "!!python/object/new:os.mkdir ['{proof}']",
        "!!python/name:os.mkdir",
        "!!python/module:os",
        "!!python/tuple [!!python/object/apply:os.mkdir ['{proof}']]",
    ],
)
def test_a_yaml_that_runs_code_does_not(tiny: Path, value: str) -> None:
    proof = tiny.with_name("was_run")
    with tiny.with_name("variant.yml").open("a") as variant:
        variant.write(f"\nmore: {value.format(proof=proof)}\n")
    assert "nothing in it was run" in refused(tiny).problem
    assert not proof.exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "net_kwargs: expected a table"),
        ("[1, 2]", "net_kwargs: expected a table"),
        ("net_kwargs: 3", "net_kwargs: expected a table"),
        ("net_kwargs: {decoder: {name: linear}}", "net_kwargs.backbone: missing"),
        ("a: [", "expected YAML"),
        ("[" * 5000, "expected YAML"),
        ("a: " + "[" * 65 + "]" * 65, "nested too deep"),
        ("? !!python/tuple [[1]]\n: 2", "expected YAML"),
        ("a: 2026-99-99", "expected YAML"),
        ("a: !!timestamp x", "expected YAML"),
        ("a: !!bool x", "expected YAML"),
        ('a: !!int ""', "expected YAML"),
        ("a: !!float 1" + ":59" * 300 + ".5", "expected YAML"),
        ("a: &a {b: 1}\nc: {<<: [*a, *a]}", "merge"),
        ("#" * 70_000, "65536 bytes at most"),
        ("a: !" + "t" * 1000 + " x", "..."),
        ("&a !!python/tuple [*a]", "recursive"),
        ("\x00", "expected YAML"),
    ],
)
def test_a_foreign_variant_is_refused(tiny: Path, text: str, problem: str) -> None:
    tiny.with_name("variant.yml").write_text(text)
    assert problem in refused(tiny).problem


def test_a_missing_variant_names_the_cure(tiny: Path) -> None:
    tiny.with_name("variant.yml").unlink()
    error = refused(tiny)
    assert "variant.yml: cannot be read: No such file" in error.problem
    assert "copy the variant.yml" in (error.hint or "")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"decoder": {"name": "deeplab_dec"}}, "expected mask_transformer or linear, got 'deeplab"),
        ({"d_model": 384, "n_heads": 6}, "encoder.cls_token: expected shape (1, 1, 384)"),
        ({"d_model": 200}, "expected a backbone of the zoo, got 'vit_tiny_patch16_384' with width"),
        ({"n_heads": 0}, "expected a backbone of the zoo, got 'vit_tiny_patch16_384' with width"),
        ({"n_cls": 19}, "decoder.cls_emb: expected shape (1, 19, 192)"),
        ({"n_cls": 0}, "a class or more, got 64 x 64 and 0 classes"),
        ({"n_cls": "7"}, "net_kwargs.n_cls: expected a whole number, got '7'"),
        ({"image_size": (32, 64)}, "encoder.pos_embed: expected shape (1, 9, 192)"),
        ({"image_size": (60, 64)}, "a multiple of patch_size 16"),
        ({"image_size": 64}, "net_kwargs.image_size: expected a list"),
        ({"patch_size": 0}, "patch_size 0"),
        ({"normalization": "none"}, "unknown value 'none'; known are vit, deit"),
        ({"distilled": True}, "missing ['encoder.dist_token']"),
        ({"decoder": {"name": "linear"}}, "missing ['decoder.head.bias', 'decoder.head.weight']"),
    ],
)
def test_a_variant_of_another_network_is_refused(
    tiny: Path, change: dict[str, Any], problem: str
) -> None:
    net = official.net_kwargs("vit_tiny_patch16_384", "mask_transformer", 64, 7) | change
    official.write_variant(tiny.parent, net)
    assert problem in refused(tiny).problem


def test_missing_and_unexpected_keys_are_listed_together(tiny: Path) -> None:
    checkpoint = torch.load(tiny, weights_only=True)
    model = checkpoint["model"]
    model["encoder.blocks.3.attn.query_key_value.bias"] = model.pop(
        "encoder.blocks.3.attn.qkv.bias"
    )
    del model["decoder.mask_norm.weight"]
    torch.save(checkpoint, tiny)
    problem = refused(tiny).problem
    assert (
        "missing ['decoder.mask_norm.weight', 'encoder.blocks.3.attn.qkv.bias'], unexpected "
        "['encoder.blocks.3.attn.query_key_value.bias']"
    ) in problem


def test_of_many_names_the_first_are_listed(tiny: Path) -> None:
    checkpoint = torch.load(tiny, weights_only=True)
    kept = {n: t for n, t in checkpoint["model"].items() if "decoder" not in n}
    torch.save({"model": kept}, tiny)
    assert "'] and 25 more, unexpected none" in refused(tiny).problem


def test_classification_heads_may_be_left_out(tiny: Path) -> None:
    before, _ = read_checkpoint(tiny)
    checkpoint = torch.load(tiny, weights_only=True)
    del checkpoint["model"]["encoder.head.weight"], checkpoint["model"]["encoder.head.bias"]
    torch.save(checkpoint, tiny)
    after, _ = read_checkpoint(tiny)
    assert after.keys() == before.keys()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"state_dict": {}}, "got one with 'state_dict'"),
        ([1, 2], "got a list"),
        ({"model": {"a": 1}}, "got one with 'model'"),
        ({"model": {}}, "'encoder.cls_token'"),
        ({"optimizer": {"state": {}}, "epoch": 3}, "got one with 'optimizer', 'epoch'"),
        (
            {"meta": {}, "state_dict": {"backbone.cls_token": torch.zeros(1)}},
            "got one with 'backbone.cls_token'",
        ),
    ],
)
def test_other_dicts_are_no_checkpoints(tiny: Path, content: Any, problem: str) -> None:
    tiny.with_name("variant.yml").unlink()  # nobody but Segmenter writes one
    torch.save(content, tiny)
    error = refused(tiny)
    assert problem in error.problem
    assert "model.state_dict()" in (error.hint or "")


def test_a_folder_is_told_from_a_file(tiny: Path) -> None:
    folder = tiny.with_name("model")
    folder.mkdir()
    error = refused(folder)
    assert "Is a directory" in error.problem
    assert f"timm:local-dir:{folder}" in (error.hint or "")


def test_damaged_files_are_refused(tiny: Path) -> None:
    whole = tiny.read_bytes()
    for damaged in (b"", b"text", whole[:5000], whole[:-5000], b"\x80\x02" + whole[:50]):
        tiny.write_bytes(damaged)
        refused(tiny)
    tiny.unlink()
    assert "cannot be read: No such file" in refused(tiny).problem


def test_a_machine_that_is_short_of_memory_is_not_the_files_fault(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(HostError, match="short of memory"):
        read_checkpoint(tiny)


def test_integers_are_no_weights(tiny: Path) -> None:
    checkpoint = torch.load(tiny, weights_only=True)
    checkpoint["model"]["encoder.norm.bias"] = torch.zeros(192, dtype=torch.int64)
    torch.save(checkpoint, tiny)
    problem = refused(tiny).problem
    assert "encoder.norm.bias: expected dense floating point numbers, got int64" in problem


def test_a_recipe_that_says_otherwise_is_an_error(tiny: Path) -> None:
    with pytest.raises(RecipeError, match=r"model\.name: expected 'seg_t16_mask'"):
        make_model(recipe_for(tiny, "model.name=seg_s16_mask"))
    with pytest.raises(RecipeError, match=r"model\.classes: expected 7.*got 19"):
        make_model(recipe_for(tiny, "model.classes=19"))


def test_without_pyyaml_the_cure_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingPackageError, match=r"mpm-deploy\[build\]"):
        read_checkpoint(tiny)


def test_convert_wants_a_name_that_ends_in_safetensors(tiny: Path) -> None:
    with pytest.raises(MpmError, match=r"ends in \.safetensors"):
        convert_weights(tiny, tiny.with_suffix(".pt"))


@pytest.mark.parametrize("text", ['name = "mine"\n[model]\nweights = "demo"\n', "no TOML"])
def test_converting_keeps_a_toml_that_says_something_else(
    tiny: Path, tmp_path: Path, text: str
) -> None:
    target, recipe = tmp_path / "mine.safetensors", tmp_path / "mine.toml"
    recipe.write_text(text)
    with pytest.raises(InputError, match=r"mine.toml: cannot write there: expected a new file or"):
        convert_weights(tiny, target)
    assert recipe.read_text() == text
    assert not target.exists()
    recipe.unlink()
    convert_weights(tiny, target)
    convert_weights(tiny, target)  # its own are written anew
