"""DINOv2's own files: the backbone of `transformers`, and heads held to a plain reading of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.models.weights.files import read_weights
from tests.models.weights.readers.tiny import (
    assert_equal,
    eager,
    images_for,
    model_of,
    refused,
    renamed,
    save,
    with_fused_qkv,
)
from tests.models.weights.readers.tiny_vits import WIDTH

TOLERANCE = 1e-4  # of scores with deviation 1, in float32; measured are 5e-6 at most
CLASSES = 21
BACKBONE = "dinov2_vits14_pretrain.pth"
_NAMES = {  # of transformers, and of the authors
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.": "",
    "layernorm": "norm",
    "encoder.layer": "blocks",
    "attention.o_proj": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "mlp.down_proj": "mlp.w3",
}


def as_authors_save(model: torch.nn.Module) -> dict[str, Tensor]:
    """The tensors of a DINOv2 of `transformers` by the names of the authors' files."""
    left = with_fused_qkv(model.state_dict())
    left.setdefault("embeddings.mask_token", torch.zeros(1, WIDTH))
    for name in [name for name in left if "gate_proj" in name]:
        parts = [left.pop(name.replace("gate", part)) for part in ("gate", "up")]
        left[name.replace("gate_proj", "w12")] = torch.cat(parts)
    return renamed(left, _NAMES)


def random_head(taps: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(taps)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    width = taps * WIDTH
    return {
        "decode_head.bn.weight": drawn(width),
        "decode_head.bn.bias": drawn(width),
        "decode_head.bn.running_mean": drawn(width),
        "decode_head.bn.running_var": drawn(width).exp(),
        "decode_head.bn.num_batches_tracked": torch.tensor(40_000),
        "decode_head.conv_seg.weight": drawn(CLASSES, width, 1, 1) / width**0.5,
        "decode_head.conv_seg.bias": drawn(CLASSES),
    }


def plain_scores(model: Any, head: dict[str, Tensor], taps: int, pixels: Tensor) -> Tensor:
    """The last blocks side by side, each after the norm, then BatchNorm and convolution."""
    with torch.no_grad():
        states = model(pixel_values=pixels, output_hidden_states=True).hidden_states[-taps:]
        tokens = torch.cat([model.layernorm(state)[:, 1:] for state in states], dim=2)
    side = round(tokens.shape[1] ** 0.5)
    grid = tokens.transpose(1, 2).unflatten(2, (side, side))  # (B, C, h, w)
    bn = [head[f"decode_head.bn.{name}"] for name in ("running_mean", "running_var")]
    affine = [head[f"decode_head.bn.{name}"] for name in ("weight", "bias")]
    normed = functional.batch_norm(grid, *bn, *affine)
    weight, bias = (head[f"decode_head.conv_seg.{name}"] for name in ("weight", "bias"))
    return functional.conv2d(normed, weight, bias)


def write_head(folder: Path, taps: int) -> Path:
    path = folder / f"dinov2_vits14_voc2012_{'linear' if taps == 1 else 'ms'}_head.pth"
    torch.save({"meta": {"epoch": 3}, "state_dict": random_head(taps)}, path)
    torch.save(as_authors_save(model_of("DINOv2")), folder / BACKBONE)
    return path


@pytest.mark.parametrize("kind", ["DINOv2", "DINOv2 with registers", "DINOv2 with SwiGLU"])
def test_a_backbone_is_the_encoder_of_transformers(tmp_path: Path, kind: str) -> None:
    """Which is held to that package's forward."""
    model = model_of(kind)
    expected, info_of_folder = read_weights(save(model, tmp_path / "folder"))
    torch.save(as_authors_save(model), tmp_path / BACKBONE)
    weights, info = read_weights(tmp_path / BACKBONE)
    assert_equal(weights, expected)
    assert info == info_of_folder


@pytest.mark.parametrize("taps", [1, 4])
def test_scores_are_those_of_a_plain_head(tmp_path: Path, taps: int) -> None:
    path = write_head(tmp_path, taps)
    smaller = ("model.image_size=[53, 53]", "input.fit=slide", "input.stride=53")
    ours = eager(path, *smaller)
    images, pixels = images_for(ours)
    pixels = functional.pad(pixels, (1, 2, 1, 2))  # to whole patches
    with torch.no_grad():
        scores, _ = ours(images)
    expected = plain_scores(model_of("DINOv2"), random_head(taps), taps, pixels)
    assert torch.allclose(scores, expected, rtol=0, atol=TOLERANCE * float(expected.std()))


def test_a_head_says_how_it_was_tested(tmp_path: Path) -> None:
    _, info = read_weights(write_head(tmp_path, 4))
    assert (info.model, info.head) == ("tiny14_1_False+linear", {"taps": 4})
    assert info.input == {"fit": "slide", "stride": 341, "pad": "center"}
    assert info.image_size == (512, 512)
    assert info.classes[:2] == ("background", "aeroplane") and info.palette[1] == (128, 0, 0)
    assert info.origin == "dinov2_vits14_voc2012_ms_head.pth" and len(info.sha256 or "") == 64


# ---- bad input ----


def change_head(path: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    head = torch.load(path, weights_only=True)
    change(head["state_dict"])
    torch.save(head, path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda head: head.pop("decode_head.bn.running_var"),
            "missing ['decode_head.bn.running_var'], unexpected none",
        ),
        (
            lambda head: head.update({"decode_head.fc.weight": torch.zeros(1)}),
            "missing none, unexpected ['decode_head.fc.weight']",
        ),
        (
            lambda head: head.update({"decode_head.bn.bias": torch.zeros(3)}),
            "decode_head.bn.bias: expected shape (64,), as in a head on it, got (3,)",
        ),
        (
            lambda head: head.update(
                {"decode_head.conv_seg.weight": torch.zeros(CLASSES, 2 * WIDTH, 1, 1)}
            ),
            f"expected {WIDTH} or {4 * WIDTH} channels, as {BACKBONE} gives them, got {2 * WIDTH}",
        ),
        (
            lambda head: head["decode_head.bn.running_var"].fill_(-1),
            "decoder.head.weight: expected values that are finite",
        ),
        (
            lambda head: head["decode_head.bn.bias"].fill_(float("nan")),
            "decode_head.bn.bias: expected values that are finite",
        ),
    ],
)
def test_another_head_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], Any], problem: str
) -> None:
    path = write_head(tmp_path, 1)
    change_head(path, change)
    assert problem in refused(path, tmp_path).problem


def test_a_head_needs_its_backbone(tmp_path: Path) -> None:
    path = write_head(tmp_path, 1)
    (tmp_path / BACKBONE).unlink()
    error = refused(path, tmp_path)
    assert f"{BACKBONE}: cannot be read" in error.problem and "in one folder" in (error.hint or "")


def test_a_head_of_another_name_has_no_backbone(tmp_path: Path) -> None:
    path = write_head(tmp_path, 1).rename(tmp_path / "mine.pth")
    assert "mine.pth: expected the name that a head of DINOv2" in refused(path).problem


def test_a_heads_backbone_is_one_of_dinov2(tmp_path: Path) -> None:
    path = write_head(tmp_path, 1)
    torch.save(random_head(1), tmp_path / BACKBONE)
    assert f"{BACKBONE}: expected a backbone of DINOv2" in refused(path, tmp_path).problem


def test_positions_of_no_square_grid_are_refused(tmp_path: Path) -> None:
    tensors = as_authors_save(model_of("DINOv2"))
    tensors["pos_embed"] = tensors["pos_embed"][:, :-1]
    torch.save(tensors, tmp_path / BACKBONE)
    count = tensors["pos_embed"].shape[1]
    expected = f"pos_embed: expected 1 and a square number of positions, got {count}"
    assert expected in refused(tmp_path / BACKBONE, tmp_path).problem


def test_a_backbone_of_dinov3_is_refused(tmp_path: Path) -> None:
    """Its own file has other names for registers, and no positions."""
    tensors = as_authors_save(model_of("DINOv2"))
    del tensors["pos_embed"]
    tensors["rope_embed.periods"] = torch.zeros(16)
    torch.save(tensors, tmp_path / BACKBONE)
    assert (
        "missing ['pos_embed'], unexpected ['rope_embed.periods']"
        in refused(tmp_path / BACKBONE).problem
    )
