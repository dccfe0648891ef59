"""Encoders from timm models compute what timm computes."""

import pytest
import torch

from mpm_deploy.errors import ModelError
from mpm_deploy.models import create
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.dinov2 import Dinov2
from mpm_deploy.models.encoders.dinov3 import Dinov3
from mpm_deploy.models.encoders.timm_vit import TimmVit, encoder_from_timm
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.zoo import find_model

timm = pytest.importorskip("timm")

PLAIN = {
    "ViT-T/16": ("vit_tiny_patch16_224", {}),
    "ViT-S/16": ("vit_small_patch16_224", {"depth": 3}),
    "ViT-B/16": ("vit_base_patch16_224", {"depth": 2}),
    "ViT-L/16": ("vit_large_patch16_224", {"depth": 2}),
    "ViT-B/8": ("vit_base_patch8_224", {"depth": 2, "img_size": 96}),
    "DeiT": ("deit_tiny_patch16_224", {"depth": 3}),
    "DeiT, distilled": ("deit_tiny_distilled_patch16_224", {"depth": 3}),
    "DeiT III": ("deit3_small_patch16_224", {"depth": 2}),
    "registers, LayerScale": ("vit_small_patch14_reg4_dinov2", {"depth": 3, "img_size": 112}),
    "DINOv2": ("vit_small_patch14_dinov2", {"depth": 3, "img_size": (56, 84)}),
    "SwiGLU": ("vit_giant_patch14_dinov2", {"depth": 1, "img_size": (56, 84)}),
    "pooling by attention, which is no part of it": ("vit_base_patch16_siglip_224", {"depth": 1}),
    "mean instead of a class token": ("vit_medium_patch16_gap_256", {"depth": 2}),
    "qk-norm": ("vit_tiny_patch16_224", {"depth": 3, "qk_norm": True, "init_values": 0.5}),
    "norm before the blocks": ("vit_base_patch16_clip_224", {"depth": 2}),
    "no class token": ("vit_tiny_patch16_224", {"class_token": False, "global_pool": "avg"}),
    "positions of patches only": (
        "vit_tiny_patch16_224",
        {"depth": 3, "no_embed_class": True, "reg_tokens": 2},
    ),
    "no bias of qkv": ("vit_tiny_patch16_224", {"depth": 3, "qkv_bias": False}),
    "not square": ("vit_tiny_patch16_224", {"depth": 3, "img_size": (64, 96)}),
}
OF_EVA = {
    "DINOv3": ("vit_small_patch16_dinov3", {"depth": 3, "img_size": (64, 96)}),
    "DINOv3, biases": ("vit_small_patch16_dinov3_qkvb", {"depth": 2, "img_size": (96, 64)}),
    "DINOv3, SwiGLU": ("vit_small_plus_patch16_dinov3", {"depth": 3, "img_size": (64, 96)}),
    "no bias of keys": ("eva_giant_patch14_224", {"depth": 1, "img_size": (56, 84)}),
}


def timm_model(name: str, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)  # no bias stays zero, no norm one
    return model


@pytest.mark.parametrize("case", [*PLAIN, *OF_EVA])
def test_full_token_encoder_equals_timm(case):
    name, options = (PLAIN | OF_EVA)[case]
    vit = timm_model(name, **options)
    images = torch.randn(2, 3, *vit.patch_embed.img_size)
    with torch.inference_mode():
        (tap,), merge_maps = encoder_from_timm(vit)(images)
        expected = vit.forward_features(images)
    assert not tap.tokens.isnan().any()
    torch.testing.assert_close(tap.tokens.view_as(expected), expected, atol=1e-5, rtol=0)
    assert tap.offsets.diff().tolist() == [expected.shape[1]] * 2
    assert merge_maps.shape[1] == 0


def test_a_schedule_merges():
    vit = timm_model("deit_tiny_distilled_patch16_224", img_size=64)
    with torch.inference_mode():
        (tap,), merge_maps = encoder_from_timm(vit, (2, 5))(torch.randn(2, 3, 64, 64))
    kept = merge_maps[:, -1].amax(dim=1) + 1
    assert (kept < 16).all()
    assert tap.offsets.diff().tolist() == (kept + 2).tolist()


@pytest.mark.parametrize("name", ["vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"])
def test_taps_are_timms_intermediates(name):
    vit = timm_model(name, depth=4, img_size=(64, 96), patch_size=16)
    plain = encoder_from_timm(vit)
    encoder = Encoder(plain.config, readout=Readout(taps=(0, 2, -1)))
    encoder.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        taps, _ = encoder(images)
        every = vit.forward_intermediates(
            images, [0, 2, 3], norm=True, output_fmt="NLC", intermediates_only=True
        )
    for tap, expected in zip(taps, every, strict=True):
        torch.testing.assert_close(tap.tokens[tap.rows], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "name", [*(name for name in Dinov2.shapes if "patch14" in name), *Dinov3.shapes]
)
def test_named_backbones_are_of_timms_shapes(name):
    family = Dinov2 if name in Dinov2.shapes else Dinov3
    with torch.device("meta"):
        config = encoder_from_timm(timm.create_model(name)).config
    assert family.find(config) == name


@pytest.mark.parametrize(
    ("name", "patches", "special"),
    [
        ("vit_medium_patch16_gap_256", 16, 0),
        ("vit_base_patch16_clip_224.laion2b", 16, 1),
        ("vit_so150m_patch16_reg4_gap_256", 16, 4),
        ("vit_base_patch14_dinov2.lvd142m", 14, 1),
        ("vit_small_patch16_dinov3_qkvb", 16, 5),
    ],
)
def test_a_backbone_is_found_by_timms_name(name, patches, special):
    assert TimmVit.has(name)
    with torch.device("meta"):
        encoder = find_model(f"{name}+linear").encoder((4 * patches, 6 * patches))
    assert encoder.grid == (4, 6)
    assert (encoder.patch_size, encoder.special_tokens) == (patches, special)


def test_a_model_of_timms_name_merges():
    model = create("deit3_small_patch16_224+linear", classes=3, image_size=(64, 96), blocks=(2, 5))
    with torch.inference_mode():
        scores, merge_maps = model(torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8))
    assert scores.shape == (1, 3, 4, 6)
    assert merge_maps[0, -1].max() < 23


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("eva02_tiny_patch14_224", {}, "other than DINOv3's .`rope`"),
        ("vit_base_patch16_rope_224", {"depth": 1}, "other than DINOv3's .`rope`"),
        ("samvit_base_patch16", {"depth": 1}, "window attention"),
        ("swin_tiny_patch4_window7_224", {}, "SwinTransformer"),
        ("beit_base_patch16_224", {"depth": 1}, "Beit"),
        ("resnet18", {}, "ResNet"),
        ("vit_base_patch16_clip_quickgelu_224", {"depth": 1}, "QuickGELU"),
        ("vit_base_patch32_siglip_256", {"depth": 1}, "GELUTanh"),
        ("vit_base_r50_s16_224", {"depth": 1}, "patch embedding"),
        ("vit_small_patch16_dinov3", {"depth": 1, "rope_rotate_half": False}, "rope.rotate_half"),
        ("vit_small_patch16_dinov3", {"depth": 1, "attn_only_layer_scale": True}, "one branch"),
        (
            "vit_tiny_patch16_224",
            {"depth": 1, "patch_size": (16, 8)},
            "patches that are not square",
        ),
    ],
)
def test_other_models_are_refused_by_the_part_that_differs(name, options, part):
    with pytest.raises(ModelError, match=part):
        encoder_from_timm(timm_model(name, **options))


@pytest.mark.parametrize("place", ["norm", "blocks.0.norm2", "blocks.1.attn.q_norm"])
def test_norms_of_different_epsilon_are_refused(place):
    vit = timm_model("vit_tiny_patch16_224", depth=2, qk_norm=True)
    vit.get_submodule(place).eps = 1e-2
    with pytest.raises(ModelError, match=r"norms of different epsilon \(1e-06, 0.01\)"):
        encoder_from_timm(vit)


@pytest.mark.parametrize(
    ("place", "name", "value", "part"),
    [
        ("attn", "num_heads", 6, r"`blocks\[1\]` with heads 6, not 3 as the first"),
        ("norm1", "eps", 1e-2, r"`blocks\[1\]` with norm_epsilon 0\.01, not 1e-06 as the first"),
    ],
)
def test_a_block_unlike_the_first_is_refused(place, name, value, part):
    vit = timm_model("vit_tiny_patch16_224", depth=2)
    setattr(vit.blocks[1].get_submodule(place), name, value)
    if name == "num_heads":
        vit.blocks[1].attn.head_dim = 192 // value
    with pytest.raises(ModelError, match=part):
        encoder_from_timm(vit)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("swin_tiny_patch4_window7_224", "SwinTransformer: this architecture"),
        ("vit_tiny_patch16_224.nobodys", "vit_tiny_patch16_224.nobodys: timm cannot make it"),
    ],
)
def test_a_name_of_no_plain_vit_says_what_is_different(name, problem):
    with pytest.raises(ModelError, match=problem):
        create(f"{name}+linear", classes=3)
