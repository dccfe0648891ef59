"""Name the ViTs of DINOv3 (Siméoni et al., 2025), whose positions are rotary."""

from typing import ClassVar

from mpm_deploy.models.encoders.named import BASE, LARGE, SMALL, NamedVits, vit_shape

_PARTS = {"layer_scale": True, "rotary_base": 100.0}
_TOKENS = 5  # the class token and four registers
_NORM_EPSILON = 1e-5
_HUGE = (1280, 32, 20)


class Dinov3(NamedVits):
    """DINOv3's ViTs, by timm's names. "plus" is a SwiGLU in place of the MLP."""

    shapes: ClassVar = {
        "vit_small_patch16_dinov3": vit_shape(SMALL, 16, _TOKENS, _NORM_EPSILON, **_PARTS),
        "vit_small_plus_patch16_dinov3": vit_shape(
            SMALL, 16, _TOKENS, _NORM_EPSILON, gated_mlp=True, mlp_width=1536, **_PARTS
        ),
        "vit_base_patch16_dinov3": vit_shape(BASE, 16, _TOKENS, _NORM_EPSILON, **_PARTS),
        "vit_large_patch16_dinov3": vit_shape(LARGE, 16, _TOKENS, _NORM_EPSILON, **_PARTS),
        "vit_huge_plus_patch16_dinov3": vit_shape(
            _HUGE, 16, _TOKENS, _NORM_EPSILON, gated_mlp=True, mlp_width=5120, **_PARTS
        ),
    }
