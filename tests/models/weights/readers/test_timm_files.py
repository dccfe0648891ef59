"""timm's weights by name: read from its cache, without a network, and never taken for a head."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch

from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import ModelError, RecipeError
from mpm_deploy.models.weights.files import convert_weights, read_weights
from mpm_deploy.models.zoo import find_model
from mpm_deploy.recipe import Recipe, load_recipe

NAME = "vit_tiny_patch16_224"

Give = Callable[[str, torch.nn.Module], None]


def recipe_for(name: str, *changes: str) -> Recipe:
    return load_recipe("cpu_portable_fp32").with_weights(f"timm:{name}").override(*changes)


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Has timm give a model for a name, as if it were trained."""
    make, given = timm.create_model, dict[str, torch.nn.Module]()

    def create_model(name: str, pretrained: bool = False) -> Any:
        return given[name] if pretrained else make(name)

    monkeypatch.setattr(timm, "create_model", create_model)
    return given.__setitem__


@pytest.fixture
def trained(give: Give) -> torch.nn.Module:
    """A ViT that timm gives as if it were trained."""
    torch.manual_seed(0)
    vit: torch.nn.Module = timm.create_model(NAME)
    give(NAME, vit)
    return vit


def test_the_encoder_is_timms_and_the_head_random(trained: torch.nn.Module) -> None:
    model, info = make_model(recipe_for(NAME, "model.classes=5"))
    assert (info.origin, info.model, len(info.classes)) == ("random", f"{NAME}+mask_transformer", 5)
    assert info.image_size == (224, 224)
    position = trained.pos_embed[0]
    assert torch.equal(model.encoder.position, position[1:])
    assert torch.equal(model.encoder.special, trained.cls_token[0] + position[:1])
    assert torch.equal(model.encoder.blocks[3].qkv.weight, trained.blocks[3].attn.qkv.weight)
    assert model.decoder.cls_emb.shape == (5, 192)


@pytest.mark.parametrize("size", [(224, 224), (64, 96)])
def test_tokens_are_timms_at_any_input_size(
    trained: torch.nn.Module, size: tuple[int, int]
) -> None:
    """Segmenter's ViT of the same shape has another epsilon, and resizes positions another way."""
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.mul_(2)  # far from small tokens, to which an epsilon is much
    model, _ = make_model(recipe_for(NAME, f"model.image_size={list(size)}", "merge.blocks=[]"))
    images = torch.randn(2, 3, *size)
    trained.set_input_size(size)
    with torch.inference_mode():
        (tap,), _ = model.encoder(images)
        expected = trained.eval().forward_features(images)
    torch.testing.assert_close(tap.tokens.view_as(expected), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "backbone", "size"),
    [
        ("vit_small_patch14_dinov2.lvd142m", "vit_small_patch14_dinov2", (518, 518)),
        ("vit_small_patch16_dinov3", "vit_small_patch16_dinov3", (256, 256)),
        ("vit_medium_patch16_gap_256", "vit_medium_patch16_gap_256", (256, 256)),
    ],
)
def test_an_encoder_that_segmenter_does_not_have_goes_by_timms_name(
    give: Give, name: str, backbone: str, size: tuple[int, int]
) -> None:
    give(name, timm.create_model(name))
    tensors, info = read_weights(f"timm:{name}")
    assert (info.model, info.image_size) == (f"{backbone}+mask_transformer", size)
    encoder = find_model(info.model).encoder(size)
    encoder.load_state_dict({key.removeprefix("encoder."): each for key, each in tensors.items()})


def test_patches_are_resampled_to_those_of_another_backbone(
    give: Give,
) -> None:
    vit = timm.models.vit_small_patch14_reg4_dinov2(img_size=56)
    give("vit_small_patch14_reg4_dinov2", vit)
    recipe = recipe_for("vit_small_patch14_reg4_dinov2", "model.image_size=[64, 96]")
    model, info = make_model(recipe.override("model.name=eomt_s16", "model.classes=5"))
    assert (info.model, model.grid, model.encoder.patch_size) == ("eomt_s16", (4, 6), 16)
    expected = timm.layers.resample_patch_embed(vit.patch_embed.proj.weight, [16, 16])
    torch.testing.assert_close(model.encoder.patch_embed.weight, expected, atol=1e-5, rtol=0)


def test_either_head_does(trained: torch.nn.Module) -> None:
    model, info = make_model(recipe_for(NAME, f"model.name={NAME}+linear"))
    assert info.model == f"{NAME}+linear"
    assert model.decoder.head.weight.shape == (150, 192)


def test_weights_that_are_not_finite_are_refused(trained: torch.nn.Module) -> None:
    with torch.no_grad():
        trained.blocks[3].attn.qkv.weight[0, 0] = float("nan")
    problem = rf"timm:{NAME}: blocks\.3\.qkv\.weight: expected values that are finite .* got 1 NaN"
    with pytest.raises(ModelError, match=problem):
        read_weights(f"timm:{NAME}")


@pytest.mark.parametrize("name", ["seg_s16_mask", "seg_t16_mask"])
def test_another_model_is_a_recipe_error(trained: torch.nn.Module, name: str) -> None:
    """Segmenter's ViT of the same shape is one too."""
    with pytest.raises(RecipeError, match=rf"expected '{NAME}\+mask_transformer'"):
        make_model(recipe_for(NAME, f"model.name={name}"))


def test_an_encoder_alone_is_not_converted(trained: torch.nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="got an encoder alone"):
        convert_weights(f"timm:{NAME}", tmp_path / "it.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_no_model_has_is_named(
    give: Give,
) -> None:
    give("mine", timm.models.vit_tiny_patch16_224(depth=3))
    with pytest.raises(ModelError, match=r"timm:mine: expected .* got width 192, 3 blocks"):
        read_weights("timm:mine")


def test_unknown_names_are_model_errors() -> None:
    with pytest.raises(ModelError, match=r"timm:vit_nobody: timm cannot make it.*Unknown model"):
        read_weights("timm:vit_nobody")


READS = f"""
import sys
from mpm_deploy.errors import ModelError
from mpm_deploy.models.weights.files import read_weights
try:
    tensors, _ = read_weights("timm:{NAME}")
except ModelError as error:
    sys.exit(str(error))
print(tensors["encoder.position"].double().sum().item())
"""


def test_without_a_network_the_cache_is_read(tmp_path: Path) -> None:
    vit = timm.create_model(NAME)
    repository = "models--" + vit.pretrained_cfg["hf_hub_id"].replace("/", "--")
    empty = reads_in(tmp_path / "empty")
    assert empty.returncode == 1
    assert f"timm:{NAME}: timm cannot make it with its weights" in empty.stderr
    assert "HF_HOME" in empty.stderr

    cached = tmp_path / "full" / "hub" / repository
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / "snapshots" / ("0" * 40)).mkdir(parents=True)
    file = cached / "snapshots" / ("0" * 40) / "model.safetensors"
    safetensors.torch.save_file(vit.state_dict(), file)
    full = reads_in(tmp_path / "full")
    assert full.returncode == 0, full.stderr
    assert float(full.stdout) == vit.pos_embed[0, 1:].double().sum().item()


def reads_in(home: Path) -> subprocess.CompletedProcess[str]:
    """Read weights in a process of its own, whose cache is ``home``."""
    variables = {"HF_HOME": str(home), "TORCH_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE_"))}
    command = [sys.executable, "-c", READS]
    return subprocess.run(command, capture_output=True, text=True, env=kept | variables)
