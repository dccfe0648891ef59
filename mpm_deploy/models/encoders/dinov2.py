"""Name the ViTs of DINOv2 (Oquab et al., 2023), with registers (Darcet et al., 2024) and without.

Their patches are 14 pixels wide; EoMT resamples them to 16, and so may others.
"""

from typing import ClassVar

from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.named import BASE, LARGE, SMALL, NamedVits, vit_shape

_NORM_EPSILON = 1e-6
_REGISTERS = 4
_GIANT = (1536, 40, 24)
_GIANT_MLP = 4096  # of each of the two halves that SwiGLU multiplies
_SIZES = {"small": SMALL, "base": BASE, "large": LARGE, "giant": _GIANT}


def _shapes() -> dict[str, EncoderConfig]:
    return {
        f"vit_{name}_patch{patch_size}_{'reg4_' if registers else ''}dinov2": vit_shape(
            size,
            patch_size,
            1 + registers,
            _NORM_EPSILON,
            layer_scale=True,
            position_resize="bicubic_antialiased" if registers else "bicubic_offset",
            **({"gated_mlp": True, "mlp_width": _GIANT_MLP} if size == _GIANT else {}),
        )
        for patch_size in (14, 16)
        for registers in (0, _REGISTERS)
        for name, size in _SIZES.items()
    }


class Dinov2(NamedVits):
    """DINOv2's ViTs, by timm's names; those with "patch16" have resampled patches."""

    shapes: ClassVar = _shapes()
