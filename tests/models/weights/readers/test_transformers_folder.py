"""Folders of `transformers`: held to its own forward, read without it, refused in a sentence."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import InputError, ModelError
from mpm_deploy.models.encoders.named import facts_of
from mpm_deploy.models.weights.classes import names_of
from mpm_deploy.models.weights.files import convert_weights, read_weights
from mpm_deploy.models.weights.readers.transformers_config import read_config
from mpm_deploy.models.weights.readers.vits import named_backbone
from mpm_deploy.recipe import load_recipe
from tests.models.weights.readers.tiny import (
    CLASSES,
    MODELS,
    assert_equal,
    eager,
    images_for,
    model_of,
    refused,
    renamed,
    save,
)

TOLERANCE = 1e-4  # of numbers with deviation 1, in float32; measured are 4e-6 at most

# What older releases called it, or newer ones will.
RENAMED = {
    "DINOv2": {
        "attention.attention.query": "attention.q_proj",
        "attention.attention.key": "attention.k_proj",
        "attention.attention.value": "attention.v_proj",
        "attention.output.dense": "attention.o_proj",
    },
    "DINOv3": {"layer.": "model.layer."},
    "EoMT": {"attention.out_proj": "attention.o_proj"},
}


def tokens_of(model: Any, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        tokens: Tensor = model(pixel_values=pixels).last_hidden_state
    return tokens


def semantic_scores(model: Any, pixels: Tensor) -> Tensor:
    """As post-processing for semantic segmentation computes them, before they are resized."""
    with torch.no_grad():
        out = model(pixel_values=pixels)
    classes = out.class_queries_logits.softmax(-1)[..., :-1]
    return torch.einsum("bqk,bqhw->bkhw", classes, out.masks_queries_logits.sigmoid())


def assert_same_encoder(folder: Path, model: Any) -> None:
    ours = eager(folder)
    images, pixels = images_for(ours)
    with torch.no_grad():
        taps, _ = ours.encoder(images * ours.scale + ours.shift)
    expected = tokens_of(model, pixels)
    assert torch.allclose(taps[-1].tokens.view_as(expected), expected, rtol=0, atol=TOLERANCE)


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_tensors(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.fixture(scope="module")
def saved_eomt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(model_of("EoMT"), tmp_path_factory.mktemp("saved") / "eomt")


@pytest.fixture
def eomt(saved_eomt: Path, tmp_path: Path) -> Path:
    """The folder of an EoMT, to be spoiled."""
    return Path(shutil.copytree(saved_eomt, tmp_path / "eomt"))


@pytest.mark.parametrize("kind", [kind for kind in MODELS if "EoMT" not in kind])
def test_an_encoder_computes_what_transformers_does(tmp_path: Path, kind: str) -> None:
    model = model_of(kind)
    assert_same_encoder(save(model, tmp_path), model)


@pytest.mark.parametrize("kind", ["EoMT", "EoMT on DINOv3"])
def test_scores_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    model = model_of(kind)
    ours = eager(save(model, tmp_path))
    images, pixels = images_for(ours)
    with torch.no_grad():
        scores, _ = ours(images)
    expected = semantic_scores(model, pixels)
    assert torch.allclose(scores, expected, rtol=0, atol=TOLERANCE)
    assert expected.std() > 100 * TOLERANCE


@pytest.mark.parametrize("kind", RENAMED)
def test_names_of_every_release_are_known(tmp_path: Path, kind: str) -> None:
    folder = save(model_of(kind), tmp_path)
    path = folder / "model.safetensors"
    before, _ = read_weights(folder)
    save_file(renamed(load_file(path), RENAMED[kind]), path)
    after, _ = read_weights(folder)
    assert_equal(after, before)


def test_the_layers_of_a_swiglu_may_lie_apart(tmp_path: Path) -> None:
    folder = save(model_of("DINOv2 with SwiGLU"), tmp_path)
    before, _ = read_weights(folder)

    def rename(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if "weights_" in name]:
            if "weights_out" in name:
                tensors[name.replace("weights_out", "down_proj")] = tensors.pop(name)
                continue
            gate, up = tensors.pop(name).chunk(2)
            tensors[name.replace("weights_in", "gate_proj")] = gate.clone()
            tensors[name.replace("weights_in", "up_proj")] = up.clone()

    change_tensors(folder, rename)
    after, _ = read_weights(folder)
    assert_equal(after, before)


def test_the_encoder_of_a_classifier_is_read(tmp_path: Path) -> None:
    model: Any = model_of("DINOv2", end="ForImageClassification")
    assert_same_encoder(save(model, tmp_path), model.dinov2)


def test_shards_are_one_model(tmp_path: Path) -> None:
    model = model_of("DINOv2")
    whole, _ = read_weights(save(model, tmp_path / "whole"))
    folder = save(model, tmp_path / "shards", max_shard_size="200KB")
    assert len([*folder.glob("model-*.safetensors")]) > 2
    shards, _ = read_weights(folder)
    assert_equal(shards, whole)


def test_the_tensors_of_a_folder_may_be_named(eomt: Path) -> None:
    _, info = read_weights(eomt / "model.safetensors")
    assert info.origin == "eomt"


def test_it_is_read_without_transformers(eomt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    read_weights(eomt)


def test_a_folder_says_all_of_a_model(eomt: Path) -> None:
    images = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "do_split_image": True}
    (eomt / "preprocessor_config.json").write_text(json.dumps(images))
    labels = {str(number): f"thing {number}" for number in range(CLASSES)}
    change_config(eomt, id2label=labels)
    _, info = read_weights(eomt)
    assert (info.model, info.image_size) == ("tiny16_5_False+eomt", (64, 64))
    assert (info.mean, info.std) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    assert info.head == {"queries": 7, "query_blocks": 4, "upscaling": 2}
    assert info.input == {"fit": "slide_evenly"}
    assert info.classes == tuple(labels.values()) and len({*info.palette}) == CLASSES
    assert info.origin == "eomt" and len(info.sha256 or "") == 64


def test_without_a_preparation_images_are_those_of_imagenet(eomt: Path) -> None:
    _, info = read_weights(eomt)
    assert info.mean == (0.485, 0.456, 0.406) and info.input == {"fit": "resize"}
    assert info.classes[0] == "class 0"  # LABEL_0 is no name


def test_known_classes_have_their_colors(tmp_path: Path) -> None:
    names = names_of("cityscapes")
    model = model_of("EoMT", num_labels=len(names), id2label=dict(enumerate(names)))
    _, info = read_weights(save(model, tmp_path))
    assert info.classes == names and info.palette[0] == (128, 64, 128)


def test_an_encoder_has_a_random_head(tmp_path: Path) -> None:
    folder = save(model_of("DINOv3"), tmp_path)
    _, info = read_weights(folder)
    assert (info.origin, info.model) == ("random", "tiny_rotary_False+linear")
    with pytest.raises(ModelError, match="got an encoder alone"):
        convert_weights(folder, tmp_path / "it.safetensors")


def test_a_recipe_may_name_the_head_of_an_encoder(tmp_path: Path) -> None:
    recipe = load_recipe("cpu_portable_fp32").with_weights(str(save(model_of("DINOv3"), tmp_path)))
    model, info = make_model(
        recipe.override(
            "merge.blocks=[1]",
            "model.backbone=tiny_rotary_False",
            "model.head=mask_transformer",
            "model.classes=3",
        )
    )
    assert info.model == "tiny_rotary_False+mask_transformer" and len(info.classes) == 3
    tensors, _ = read_weights(tmp_path)
    assert torch.equal(model.encoder.special, tensors["encoder.special"])


def test_converting_keeps_what_it_reads(eomt: Path) -> None:
    weights = eomt / "model.safetensors"
    before = weights.read_bytes()
    for source in (eomt, weights):
        with pytest.raises(InputError, match=r"model.safetensors: this output would overwrite an"):
            convert_weights(source, weights)
    assert weights.read_bytes() == before
    assert not weights.with_suffix(".toml").exists()


def test_converted_weights_keep_the_heads_options(eomt: Path, tmp_path: Path) -> None:
    convert_weights(eomt, tmp_path / "it.safetensors")
    tensors, info = read_weights(eomt)
    converted, info_of_converted = read_weights(tmp_path / "it.safetensors")
    assert_equal(converted, tensors)
    assert (info_of_converted.head, info_of_converted.input) == (info.head, info.input)


_DINOV2 = {"model_type": "dinov2", "patch_size": 14, "image_size": 518, "layer_norm_eps": 1e-6}
_DINOV3 = {"model_type": "dinov3_vit", "image_size": 224, "num_register_tokens": 4}
_SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
_GIANT = {"hidden_size": 1536, "num_hidden_layers": 40, "num_attention_heads": 24}
_REGISTERS = {"model_type": "dinov2_with_registers"}
_PLUS = {"intermediate_size": 1536, "use_gated_mlp": True, "hidden_act": "silu"}


@pytest.mark.parametrize(
    ("config", "backbone"),
    [
        (_DINOV2 | _SMALL, "vit_small_patch14_dinov2"),
        (_DINOV2 | _LARGE | _REGISTERS, "vit_large_patch14_reg4_dinov2"),
        (_DINOV2 | _GIANT | {"use_swiglu_ffn": True}, "vit_giant_patch14_dinov2"),
        (_DINOV3 | _SMALL | {"intermediate_size": 1536}, "vit_small_patch16_dinov3"),
        (_DINOV3 | _SMALL | _PLUS, "vit_small_plus_patch16_dinov3"),
        ({"model_type": "eomt"} | _LARGE, "vit_large_patch16_reg4_dinov2"),
    ],
)
def test_published_shapes_have_their_names(
    tmp_path: Path, config: dict[str, Any], backbone: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder = read_config(tmp_path / "config.json").encoder
    name, shape = named_backbone(tmp_path, facts_of(encoder))
    assert (name, shape.norm_epsilon) == (backbone, encoder.norm_epsilon)


# ---- bad input ----


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"hidden_size": 32}, "hidden_size: expected width 64, which the tensors have, got 32"),
        ({"num_hidden_layers": 4}, "num_hidden_layers: expected depth 5, which the tensors have"),
        ({"patch_size": 32}, "patch_size: expected patch_size 16, which the tensors have"),
        ({"image_size": 128}, "image_size: expected patches 16, which the tensors have, got 64"),
        ({"num_register_tokens": 0}, "num_register_tokens: expected special_tokens 5"),
        ({"mlp_ratio": 2}, "mlp_ratio: expected mlp_width 256, which the tensors have, got 128"),
        ({"use_swiglu_ffn": True}, "use_swiglu_ffn: expected gated_mlp False"),
        ({"num_queries": 8}, "num_queries: expected queries 7, which the tensors have, got 8"),
        ({"num_blocks": 3}, "num_blocks: expected query_blocks 4, which the tensors have, got 3"),
        ({"num_upscale_blocks": 3}, "num_upscale_blocks: expected upscaling 2"),
        ({"id2label": {}}, "id2label: expected classes 5, which the tensors have, got 2"),
        ({"id2label": {"1": "a"}}, "id2label: expected classes 5"),
        ({"id2label": dict.fromkeys("abcde", "x")}, "id2label: expected a name for each number"),
        ({"num_attention_heads": 4}, "got heads 4, where the nearest, tiny16_5_False, has heads 2"),
        ({"layer_norm_eps": 1e-3}, "layer_norm_eps: expected 1e-06, as tiny16_5_False has"),
        ({"num_attention_heads": 0}, "num_attention_heads: expected 1 to 65536, got 0"),
        ({"num_attention_heads": 3}, "num_attention_heads: expected a divisor of hidden_size 64"),
        (
            {"num_hidden_layers": 10**12},
            "num_hidden_layers: expected 1 to 65536, got 1000000000000",
        ),
        ({"num_hidden_layers": 10**30}, "expected JSON: 1000000000000000000000000000000 is out of"),
        ({"num_upscale_blocks": 10**6}, "num_upscale_blocks: expected 1 to 5"),
        ({"num_register_tokens": -1}, "num_register_tokens: expected 0 to 65536, got -1"),
        ({"num_blocks": 6}, "num_blocks: expected 1 to 5, got 6"),
        ({"hidden_size": "64"}, "hidden_size: expected a whole number, got '64'"),
        ({"hidden_size": None}, "hidden_size: expected a whole number, got None"),
        ({"image_size": [64]}, "image_size: expected 2 values"),
        ({"image_size": 60}, "image_size: expected multiples of patch_size 16"),
        ({"hidden_act": "relu"}, "hidden_act: expected 'gelu', got 'relu'"),
        ({"num_channels": 4}, "num_channels: expected 3, got 4"),
        ({"model_type": "vit"}, "model_type: expected one of dinov2, dinov2_with_registers"),
        ({"model_type": ["eomt"]}, "model_type: expected one of dinov2"),
    ],
)
def test_a_configuration_of_another_model_is_refused(
    eomt: Path, values: dict[str, Any], problem: str
) -> None:
    change_config(eomt, **values)
    told = refused(eomt).problem
    assert told.startswith(str(eomt / "config.json")) and problem in told


def test_another_size_is_told_the_few_that_are_near(eomt: Path) -> None:
    change_config(eomt, num_attention_heads=4)
    cure, _, names = (refused(eomt).hint or "").partition("; near are ")
    assert cure == "take one of a published size"
    assert 1 <= len(names.split(", ")) <= 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected JSON"),
        ("[1]", "expected a JSON object, got [1]"),
        ('{"model_type": NaN}', "expected JSON: NaN is no number"),
        ("[" * 9000, "expected JSON: nested too deep"),
        ('{"model_type": "eomt"}', "hidden_size: missing"),
        (" " * 2_000_000, "expected JSON: expected 1048576 bytes at most"),
    ],
)
def test_what_is_no_configuration_is_refused(eomt: Path, text: str, problem: str) -> None:
    (eomt / "config.json").write_text(text)
    assert f"config.json: {problem}" in refused(eomt).problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"image_std": [0, 1, 1]}', "image_std: expected numbers above 0"),
        ('{"image_mean": [0.5]}', "image_mean: expected 3 values"),
        ('{"do_normalize": false}', "do_normalize: expected true, got False"),
        ("no", "expected JSON"),
    ],
)
def test_a_preparation_that_nobody_can_do_is_refused(eomt: Path, text: str, problem: str) -> None:
    (eomt / "preprocessor_config.json").write_text(text)
    error = refused(eomt)
    assert f"preprocessor_config.json: {problem}" in error.problem
    assert "take config.json" not in (error.hint or "")


def test_missing_and_unexpected_names_are_listed(eomt: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        tensors["layers.3.more"] = tensors.pop("layers.3.attention.v_proj.bias")
        del tensors["query.weight"]

    change_tensors(eomt, change)
    assert (
        "expected the tensors of the network in config.json, got others: missing "
        "['layers.3.attention.v_proj.bias', 'query.weight'], unexpected ['layers.3.more']"
    ) in refused(eomt).problem


def test_one_missing_tensor_does_not_rename_the_others(eomt: Path) -> None:
    missing = "layers.0.attention.q_proj.weight"
    change_tensors(eomt, lambda tensors: tensors.pop(missing))
    assert f"got others: missing ['{missing}'], unexpected none" in refused(eomt).problem


def test_another_shape_is_refused(eomt: Path) -> None:
    change_tensors(eomt, lambda tensors: tensors.update({"layernorm.bias": torch.zeros(3)}))
    problem = "layernorm.bias: expected shape (64,), as in the network in config.json, got (3,)"
    assert problem in refused(eomt).problem


def test_masked_attention_is_refused(eomt: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        tensors["attn_mask_probs"][1] = 0.5

    change_tensors(eomt, change)
    assert "attn_mask_probs: expected zeros, got [0.0, 0.5, 0.0, 0.0]" in refused(eomt).problem


def test_numbers_are_finite(eomt: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        tensors["query.weight"][0, 0] = float("nan")

    change_tensors(eomt, change)
    assert "query.weight: expected values that are finite" in refused(eomt).problem


def test_a_damaged_file_is_refused(eomt: Path) -> None:
    path = eomt / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    assert "expected a safetensors file" in refused(eomt).problem


@pytest.mark.parametrize("named", ["", "model.safetensors"])
def test_a_missing_configuration_is_named(eomt: Path, named: str) -> None:
    (eomt / "config.json").unlink()
    with pytest.raises(ModelError, match="cannot be read") as caught:
        read_weights(eomt / named)
    assert "config.json" in (caught.value.hint or "")


def test_missing_tensors_are_named(eomt: Path) -> None:
    (eomt / "model.safetensors").unlink()
    assert "expected model.safetensors, or" in refused(eomt).problem


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        ({}, "weight_map: expected tensors' names, each with a file beside it, got None"),
        ({"weight_map": {"w": "../it.safetensors"}}, "weight_map: expected tensors' names"),
        ({"weight_map": {"w": 3}}, "weight_map: expected tensors' names"),
        (
            {"weight_map": {"w": "one.safetensors", "v": "two.safetensors"}},
            "expected the 2 shards that model.safetensors.index.json names, got all but "
            "one.safetensors, two.safetensors",
        ),
    ],
)
def test_shards_that_are_missing_are_named(eomt: Path, index: dict[str, Any], problem: str) -> None:
    (eomt / "model.safetensors").unlink()
    (eomt / "model.safetensors.index.json").write_text(json.dumps(index))
    assert problem in refused(eomt).problem


def test_a_folder_of_timm_has_another_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architecture": "vit_small_patch16_224"}')
    assert f"timm:local-dir:{tmp_path}" in (refused(tmp_path).hint or "")


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "facebook/dinov3-vits16-pretrain-lvd1689m"
    with pytest.raises(ModelError, match="cannot be read: No such file") as caught:
        read_weights(name)
    hint = caught.value.hint or ""
    assert f"nothing is downloaded here: `hf download {name}" in hint and "gated" in hint
