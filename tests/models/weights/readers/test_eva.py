"""EVA-01 as its authors save it: every number where it belongs, held to a plain reading of it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.weights.files import convert_weights, read_weights
from mpm_deploy.models.weights.readers.eva import read_eva
from mpm_deploy.models.zoo import outline
from tests.models import plain_eva
from tests.models.plain_eva import random_eva, write_eva
from tests.models.weights.readers.tiny import assert_equal, eager, images_for, refused

TOLERANCE = 1e-4  # of scores from 0 to 1, in float32
# Sizes of the network of eva_sem_seg_mask2former_ade_ss61p5_ms62p3.pth, by its configuration.
PUBLISHED = (
    {"IMAGE": 896, "GRID": 56, "WIDTH": 1408, "DEPTH": 40, "HEADS": 16, "MLP": 6144}
    | {"STEM": 64, "FFN": 352, "HEAD_WIDTH": 1024, "DECODER_HEADS": 32, "QUERIES": 200}
    | {"PIXEL_LAYERS": 6, "PIXEL_MLP": 4096, "LAYERS": 8, "DECODER_MLP": 4096}
)
_NAMES = (  # of the authors, and ours, one after the other
    (r"^backbone\.spm", "encoder.prior"),
    (r"^backbone", "encoder"),
    (r"patch_embed\.proj", "patch_embed"),
    (r"(blocks\.\d+)\.(attn|mlp)", r"\1"),
    (r"dwconv\.dwconv", "dwconv"),
    (r"^decode_head\.(transformer_decoder|(?=pixel_decoder))", r"decoder.\1"),
    (r"^decode_head|decoder\.transformer_decoder\b", "decoder.masked_decoder"),
    (r"encoder\.layers", "encoder"),
    (r"(masked_decoder.+)\.attentions\.0\.attn", r"\1.cross_attention"),
    (r"(masked_decoder.+)\.attentions\.1\.attn", r"\1.self_attention"),
    (r"attentions\.0", "attention"),
    (r"ffns\.0\.layers\.0\.0", "fc1"),
    (r"ffns\.0\.layers\.1", "fc2"),
    (r"norms\.0", "norm1"),
    (r"norms\.1", "norm2"),
    (r"norms\.2", "norm3"),
    (r"(lateral|output)_convs\.0", r"finer.0.\1_conv"),
    (r"\.conv\.", ".0."),
    (r"\.gn\.", ".1."),
    (r"(query_feat|query_embed|level_\w+)\.weight", r"\1"),
)


def expected(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names and in the shapes that they have here."""
    ours = {}
    for name, tensor in theirs.items():
        if name.endswith("num_batches_tracked") or "conv_seg" in name or "v_bias" in name:
            continue
        for pattern, new in _NAMES:
            name = re.sub(pattern, new, name)
        if name.endswith("q_bias"):
            values = theirs[f"backbone.{name.removeprefix('encoder.').replace('q_', 'attn.v_')}"]
            name = name.replace("q_bias", "qkv.bias")
            tensor = torch.cat([tensor, torch.zeros_like(tensor), values])
        if "in_proj_" in name:
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                ours[name.replace("in_proj_", f"{letter}_proj.")] = part
        else:
            ours[name] = tensor
    ours["encoder.special"] = ours.pop("encoder.cls_token")[0]
    ours["encoder.position"] = ours.pop("encoder.pos_embed")[0, 1:]
    return ours


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_eva(tmp_path / "eva_sem_seg.pth")


def changed(checkpoint: Path, change: Callable[[dict[str, Tensor]], Any]) -> Path:
    saved = torch.load(checkpoint, weights_only=True)
    change(saved["state_dict"])
    torch.save(saved, checkpoint)
    return checkpoint


def test_every_number_is_where_it_belongs(checkpoint: Path) -> None:
    weights, _ = read_weights(checkpoint)
    assert_equal(weights, expected(random_eva().state_dict()))


def test_scores_are_those_of_a_plain_reading(checkpoint: Path) -> None:
    ours = eager(checkpoint)
    images, _ = images_for(ours)
    with torch.no_grad():
        scores, _ = ours(images)
        expected_scores = random_eva()(images)
    assert torch.allclose(scores, expected_scores, rtol=0, atol=TOLERANCE)


def test_the_full_model_has_the_tensors_of_the_published_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, number in PUBLISHED.items():
        monkeypatch.setattr(plain_eva, name, number)
    with torch.device("meta"):
        theirs = expected(plain_eva.PlainEva(classes=150).state_dict())
    ours = outline("eva_g16_mask2former", classes=150, image_size=(896, 896)).state_dict()
    assert {name: each.shape for name, each in ours.items()} == {
        name: each.shape for name, each in theirs.items()
    }


def test_it_says_how_it_was_tested(checkpoint: Path) -> None:
    _, info = read_weights(checkpoint)
    assert info.model == "eva_g16_mask2former"
    assert info.backbone == {
        "width": 32,
        "depth": 8,
        "heads": 2,
        "mlp_width": 48,
        "adapter_heads": 2,
        "adapter_points": 4,
        "stem_width": 4,
    }
    assert info.head == {
        "queries": 5,
        "decoder_width": 64,
        "decoder_layers": 3,
        "decoder_heads": 4,
        "decoder_mlp_width": 56,
        "pixel_decoder_layers": 2,
        "pixel_decoder_heads": 4,
        "pixel_decoder_mlp_width": 40,
    }
    assert info.image_size == (64, 64) and info.input == {"fit": "slide", "stride": 64}
    assert (info.mean, info.std) == (plain_eva.MEAN, plain_eva.STD)
    assert info.classes[:2] == ("class 0", "class 1") and len(info.classes) == plain_eva.CLASSES
    assert info.origin == "eva_sem_seg.pth" and len(info.sha256 or "") == 64


def test_150_classes_are_ade20ks(tmp_path: Path) -> None:
    _, info = read_weights(write_eva(tmp_path / "it.pth", classes=150))
    assert info.classes[:2] == ("wall", "building") and info.palette[0] == (120, 120, 120)


def test_what_training_keeps_may_be_left_out(checkpoint: Path) -> None:
    before, _ = read_weights(checkpoint)

    def change(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if "conv_seg" in name or "num_batches" in name]:
            del tensors[name]

    after, _ = read_weights(changed(checkpoint, change))
    assert_equal(after, before)


def test_it_is_converted(checkpoint: Path, tmp_path: Path) -> None:
    info = convert_weights(checkpoint, tmp_path / "it.safetensors")
    _, converted = read_weights(tmp_path / "it.safetensors")
    assert (converted.model, converted.head) == (info.model, info.head)
    assert (converted.backbone, converted.input) == (info.backbone, info.input)


def test_a_truncated_file_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    assert "expected a checkpoint of torch" in refused(checkpoint).problem


def test_the_variant_with_relative_positions_is_refused(checkpoint: Path) -> None:
    for name in (
        "backbone.rel_pos_bias.relative_position_bias_table",
        "backbone.blocks.0.attn.relative_position_bias_table",
        "backbone.blocks.0.attn.relative_position_index",
        "backbone.blocks.7.gamma_1",
    ):
        tensors = {name: torch.zeros(4)}
        error = refused(changed(checkpoint, lambda known, new=tensors: known.update(new)))
        assert f"{name}: expected EVA-01 without relative positions and LayerScale" in error.problem
        changed(checkpoint, lambda known, old=name: known.pop(old))
    read_weights(checkpoint)


def test_each_tensor_is_missed(checkpoint: Path) -> None:
    tensors = random_eva().state_dict()
    used = [name for name in tensors if "num_batches" not in name and "conv_seg" not in name]
    first_of_each_kind = {re.sub(r"\d+", "*", name): name for name in reversed(used)}
    for name in first_of_each_kind.values():
        left = {other: tensor for other, tensor in tensors.items() if other != name}
        with pytest.raises(ModelError) as caught:
            read_eva(checkpoint, left)
        assert f"missing ['{name}'], unexpected none" in caught.value.problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda tensors: tensors.pop("backbone.level_embed"),
            "missing ['backbone.level_embed'], unexpected none",
        ),
        (
            lambda tensors: [
                tensors.pop(name) for name in [*tensors] if name.startswith("backbone.")
            ],
            "head on an EVA-01 with ViT-Adapter, got one on another backbone: no tensor is named",
        ),
        (
            lambda tensors: tensors.update({"decode_head.more": torch.zeros(1)}),
            "missing none, unexpected ['decode_head.more']",
        ),
        (
            lambda tensors: [
                tensors.pop(name) for name in [*tensors] if name.startswith("decode_head.")
            ],
            "missing ['decode_head.cls_embed.bias', 'decode_head.cls_embed.weight'",
        ),
        (
            lambda tensors: tensors.update({"backbone.pos_embed": torch.zeros(1, 16, 32)}),
            "pos_embed: expected 1 and a square number of positions, got 16",
        ),
        (
            lambda tensors: tensors.update({"backbone.up.bias": torch.zeros(3)}),
            "backbone.up.bias: expected shape (32,), as in an EVA-01 of this size, got (3,)",
        ),
        (
            lambda tensors: tensors["backbone.norm4.running_var"].fill_(float("nan")),
            "backbone.norm4.running_var: expected values that are finite",
        ),
    ],
)
def test_another_file_is_refused(
    checkpoint: Path, change: Callable[[dict[str, Tensor]], Any], problem: str
) -> None:
    assert problem in refused(changed(checkpoint, change)).problem
