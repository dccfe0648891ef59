"""Encoders from timm models compute what timm computes."""

import pytest
import torch

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.timm_vit import encoder_from_timm

timm = pytest.importorskip("timm")

PLAIN = {
    "ViT-T/16": ("vit_tiny_patch16_224", {}),
    "ViT-S/16": ("vit_small_patch16_224", {"depth": 3}),
    "ViT-B/16": ("vit_base_patch16_224", {"depth": 2}),
    "ViT-L/16": ("vit_large_patch16_224", {"depth": 2}),
    "ViT-B/8": ("vit_base_patch8_224", {"depth": 2, "img_size": 96}),
    "DeiT": ("deit_tiny_patch16_224", {"depth": 3}),
    "DeiT, distilled": ("deit_tiny_distilled_patch16_224", {"depth": 3}),
    "registers, LayerScale": ("vit_small_patch14_reg4_dinov2", {"depth": 3, "img_size": 112}),
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


def timm_model(name: str, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)  # no bias stays zero, no norm one
    return model


@pytest.mark.parametrize("case", PLAIN)
def test_full_token_encoder_equals_timm(case):
    name, options = PLAIN[case]
    vit = timm_model(name, **options)
    images = torch.randn(2, 3, *vit.patch_embed.img_size)
    with torch.inference_mode():
        (tap,), merge_maps = encoder_from_timm(vit)(images)
        expected = vit.forward_features(images)
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


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("eva02_tiny_patch14_224", {}, "rope"),
        ("vit_base_patch16_rope_224", {"depth": 1}, "rope"),
        ("samvit_base_patch16", {"depth": 1}, "window"),
        ("swin_tiny_patch4_window7_224", {}, "SwinTransformer"),
        ("resnet18", {}, "ResNet"),
        ("vit_base_patch16_clip_quickgelu_224", {"depth": 1}, "QuickGELU"),
        ("vit_giant_patch14_dinov2", {"depth": 1, "img_size": 56}, "GluMlp"),
    ],
)
def test_other_models_are_refused_by_the_part_that_differs(name, options, part):
    with pytest.raises(ModelError, match=part):
        encoder_from_timm(timm_model(name, **options))
