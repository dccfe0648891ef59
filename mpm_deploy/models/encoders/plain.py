"""Name the plain ViTs that Segmenter is built on."""

from typing import ClassVar

from mpm_deploy.models.encoders.named import BASE, LARGE, SMALL, TINY, NamedVits, vit_shape

_NORM_EPSILON = 1e-5  # Segmenter's; timm's is 1e-6


class PlainVit(NamedVits):
    """Plain ViTs as Segmenter has them, by timm's names without its "_384" and "in21k"."""

    shapes: ClassVar = {
        "vit_tiny_patch16": vit_shape(TINY, 16, 1, _NORM_EPSILON),
        "vit_small_patch16": vit_shape(SMALL, 16, 1, _NORM_EPSILON),
        "vit_base_patch16": vit_shape(BASE, 16, 1, _NORM_EPSILON),
        "vit_base_patch8": vit_shape(BASE, 8, 1, _NORM_EPSILON),
        "vit_large_patch16": vit_shape(LARGE, 16, 1, _NORM_EPSILON),
        # A distillation token follows the class token.
        "deit_tiny_distilled_patch16": vit_shape(TINY, 16, 2, _NORM_EPSILON),
        "deit_small_distilled_patch16": vit_shape(SMALL, 16, 2, _NORM_EPSILON),
        "deit_base_distilled_patch16": vit_shape(BASE, 16, 2, _NORM_EPSILON),
    }
