"""EoMT as its authors save it: the same numbers as in a folder of `transformers`, and no others."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from mpm_deploy.models.encoders.timm_vit import encoder_from_timm
from mpm_deploy.models.weights.files import convert_weights, read_weights
from tests.models.weights.readers.tiny import (
    MEAN,
    STD,
    assert_equal,
    model_of,
    refused,
    renamed,
    save,
    with_fused_qkv,
)

_NAMES = {  # of transformers, and of the authors
    "embeddings.cls_token": "encoder.backbone.cls_token",
    "embeddings.register_tokens": "encoder.backbone.reg_token",
    "embeddings.patch_embeddings.projection": "encoder.backbone.patch_embed.proj",
    "layernorm2d": "norm",
    "layernorm": "encoder.backbone.norm",
    "layers": "encoder.backbone.blocks",
    "attention.out_proj": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "query": "q",
    "class_predictor": "class_head",
    "mask_head.fc1": "mask_head.0",
    "mask_head.fc2": "mask_head.2",
    "mask_head.fc3": "mask_head.4",
    "upscale_block.block": "upscale",
}


def as_authors_save(model: torch.nn.Module) -> dict[str, Tensor]:
    """The tensors of an EoMT of `transformers` by the names of the authors' Lightning module."""
    left = model.state_dict()
    theirs = {
        "criterion.empty_weight": left.pop("criterion.empty_weight"),
        "network.encoder.pixel_mean": torch.tensor(MEAN).view(1, 3, 1, 1),
        "network.encoder.pixel_std": torch.tensor(STD).view(1, 3, 1, 1),
        "network.encoder.backbone.pos_embed": left.pop("embeddings.position_embeddings.weight")[
            None
        ],
    }
    ours = renamed(with_fused_qkv(left), _NAMES)
    return theirs | {f"network.{name}": tensor for name, tensor in ours.items()}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "pytorch_model.bin"
    torch.save(as_authors_save(model_of("EoMT")), path)
    return path


def changed(checkpoint: Path, change: Callable[[dict[str, Tensor]], Any]) -> Path:
    tensors = torch.load(checkpoint, weights_only=True)
    change(tensors)
    torch.save(tensors, checkpoint)
    return checkpoint


def test_it_is_the_model_of_transformers(checkpoint: Path, tmp_path: Path) -> None:
    """Whose scores are held to that package's forward."""
    expected, _ = read_weights(save(model_of("EoMT"), tmp_path / "folder"))
    weights, info = read_weights(checkpoint)
    assert_equal(weights, expected)
    assert (info.model, info.image_size) == ("tiny16_5_False+eomt", (64, 64))
    assert info.head == {"queries": 7, "query_blocks": 4, "upscaling": 2}
    assert info.input == {"fit": "slide_evenly"}
    assert (info.mean, info.std) == (MEAN, STD) and len(info.classes) == 5


def test_its_encoder_is_timms(checkpoint: Path) -> None:
    vit = timm.models.VisionTransformer(
        img_size=64,
        patch_size=16,
        embed_dim=64,
        depth=5,
        num_heads=2,
        init_values=0.1,
        reg_tokens=4,
        no_embed_class=True,
        num_classes=0,
    )
    theirs = {f"network.encoder.backbone.{name}": each for name, each in vit.state_dict().items()}
    weights, _ = read_weights(changed(checkpoint, lambda tensors: tensors.update(theirs)))
    expected = encoder_from_timm(vit).state_dict()
    assert all(torch.equal(weights[f"encoder.{name}"], expected[name]) for name in expected)


def test_it_is_read_out_of_lightnings_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    tensors = torch.load(checkpoint, weights_only=True)
    lightning = tmp_path / "last.ckpt"
    torch.save({"state_dict": tensors, "epoch": 3, "optimizer_states": []}, lightning)
    expected, _ = read_weights(checkpoint)
    weights, _ = read_weights(lightning)
    assert_equal(weights, expected)


def test_what_training_keeps_may_be_left_out(checkpoint: Path) -> None:
    expected, _ = read_weights(checkpoint)

    def change(tensors: dict[str, Tensor]) -> None:
        for name in ("criterion.empty_weight", "network.attn_mask_probs"):
            del tensors[name]
        for name in ("mean", "std"):
            del tensors[f"network.encoder.pixel_{name}"]

    weights, info = read_weights(changed(checkpoint, change))
    assert weights.keys() == expected.keys() and (info.mean, info.std) == (MEAN, STD)


def test_it_is_converted(checkpoint: Path, tmp_path: Path) -> None:
    info = convert_weights(checkpoint, tmp_path / "it.safetensors")
    _, converted = read_weights(tmp_path / "it.safetensors")
    assert (converted.head, converted.input) == (info.head, info.input)


def test_what_is_no_plain_value_is_not_made(checkpoint: Path) -> None:
    tensors = torch.load(checkpoint, weights_only=True)
    torch.save({"state_dict": tensors, "hyper_parameters": Namespace(lr=0.1)}, checkpoint)
    assert "a pickle that calls argparse.Namespace; nothing" in refused(checkpoint).problem


def test_a_truncated_file_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    assert "expected a checkpoint of torch" in refused(checkpoint).problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda tensors: tensors.pop("network.q.weight"),
            "missing ['network.q.weight'], unexpected none",
        ),
        (
            lambda tensors: tensors.update(more=torch.zeros(1)),
            "missing none, unexpected ['more']",
        ),
        (
            lambda tensors: tensors.pop("network.upscale.1.conv2.weight"),
            "missing ['network.upscale.1.conv2.weight']",
        ),
        (
            lambda tensors: tensors["network.attn_mask_probs"].fill_(1),
            "network.attn_mask_probs: expected zeros, got [1.0, 1.0, 1.0, 1.0]",
        ),
        (
            lambda tensors: tensors.update(
                {"network.encoder.backbone.pos_embed": torch.zeros(1, 15, 64)}
            ),
            "pos_embed: expected a square number of positions, got 15",
        ),
        (
            lambda tensors: tensors.update(
                {"network.encoder.backbone.reg_token": torch.zeros(1, 3, 64)}
            ),
            "got special_tokens 4, where the nearest, tiny16_",
        ),
        (
            lambda tensors: tensors["network.encoder.pixel_std"].zero_(),
            "std: expected finite numbers above 0",
        ),
        (
            lambda tensors: tensors["network.q.weight"].fill_(float("inf")),
            "network.q.weight: expected values that are finite",
        ),
        (
            lambda tensors: tensors.update(
                {
                    "network.encoder.backbone.patch_embed.cls_token": tensors.pop(
                        "network.encoder.backbone.cls_token"
                    )
                }
            ),
            "expected the weights of an EoMT, got differences from those of DINOv3",
        ),
        (
            lambda tensors: tensors.update({"network.attn_mask_probs": torch.zeros(6)}),
            "network.attn_mask_probs: expected 1 to 5 blocks of queries, got 6",
        ),
        (
            lambda tensors: tensors.update(
                {f"network.upscale.{step}.norm.bias": torch.zeros(64) for step in range(6)}
            ),
            "upscaling: expected at most 5, got 6",
        ),
    ],
)
def test_another_file_is_refused(
    checkpoint: Path, change: Callable[[dict[str, Tensor]], Any], problem: str
) -> None:
    assert problem in refused(changed(checkpoint, change)).problem
