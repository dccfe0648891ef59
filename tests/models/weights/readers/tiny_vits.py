"""Small ViTs of the families that readers know, which are quick to make."""

from typing import ClassVar

from mpm_deploy.models.encoders.named import NamedVits, vit_shape

WIDTH, DEPTH, HEADS_OF_A_BLOCK = 64, 5, 2
_SIZE = (WIDTH, DEPTH, HEADS_OF_A_BLOCK)


class TinyVits(NamedVits):
    """The shapes of DINOv2's and DINOv3's families, 64 wide and 5 deep."""

    shapes: ClassVar = {
        f"tiny{patch}_{tokens}_{gated}": vit_shape(
            _SIZE,
            patch,
            tokens,
            1e-6,
            layer_scale=True,
            **({"gated_mlp": True, "mlp_width": 176} if gated else {}),
        )
        for patch in (14, 16)
        for tokens in (1, 5)
        for gated in (False, True)
    } | {
        f"tiny_rotary_{gated}": vit_shape(
            _SIZE, 16, 5, 1e-5, layer_scale=True, rotary_base=100.0, gated_mlp=gated
        )
        for gated in (False, True)
    }
