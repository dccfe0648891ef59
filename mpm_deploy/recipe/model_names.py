"""Name models: a backbone and a head, and short names for pairs that have one.

seg_t16_mask                          is short for
vit_tiny_patch16+mask_transformer     the backbone, the head
"""

from itertools import chain
from typing import Any, NamedTuple

from mpm_deploy.errors import RecipeError
from mpm_deploy.families import ENCODERS, HEADS
from mpm_deploy.support.family import nearest
from mpm_deploy.support.quoting import shown


class ModelName(NamedTuple):
    """The two parts of a model, by their names."""

    backbone: str
    head: str


# Segmenter's: ViT-T/S/B/L and distilled DeiT-T/S/B, each with its mask transformer or one layer.
_SEGMENTER_BACKBONES = {
    "t16": "vit_tiny_patch16",
    "s16": "vit_small_patch16",
    "b16": "vit_base_patch16",
    "l16": "vit_large_patch16",
    "b8": "vit_base_patch8",
    "deit_t16": "deit_tiny_distilled_patch16",
    "deit_s16": "deit_small_distilled_patch16",
    "deit_b16": "deit_base_distilled_patch16",
}
_SEGMENTER_HEADS = {"mask": "mask_transformer", "linear": "linear"}
# EoMT's: DINOv2 with registers at patch 16; the tiny one, which DINOv2 has none of, is Segmenter's.
_EOMT_BACKBONES = {
    "t16": "vit_tiny_patch16",
    "s16": "vit_small_patch16_reg4_dinov2",
    "b16": "vit_base_patch16_reg4_dinov2",
    "l16": "vit_large_patch16_reg4_dinov2",
}

MODELS = {
    **{
        f"seg_{backbone}_{head}": ModelName(_SEGMENTER_BACKBONES[backbone], _SEGMENTER_HEADS[head])
        for head in _SEGMENTER_HEADS
        for backbone in _SEGMENTER_BACKBONES
    },
    **{f"eomt_{name}": ModelName(backbone, "eomt") for name, backbone in _EOMT_BACKBONES.items()},
    "eva_g16_mask2former": ModelName("eva_giant_patch16_adapter", "mask2former"),
}


def model_name(backbone: str, head: str) -> str:
    """Return a pair's short name, or ``BACKBONE+HEAD`` where it has none."""
    pair = ModelName(backbone, head)
    return next((name for name, known in MODELS.items() if known == pair), f"{backbone}+{head}")


def parts_of(name: str) -> ModelName:
    """Return the parts of a short name or of ``BACKBONE+HEAD``, be they known or not."""
    backbone, _, head = name.partition("+")
    return MODELS.get(name, ModelName(backbone, head))


def split_name(name: str) -> ModelName | None:
    """Return the parts of a model, by its short name or its ``BACKBONE+HEAD``; None if unknown."""
    pair = parts_of(name)
    return pair if pair.head in HEADS and family_of(pair.backbone) else None


def backbones() -> tuple[str, ...]:
    """Return the names of the backbones that are listed, family by family."""
    return tuple(name for family in ENCODERS.values() for name in family.backbones())


def family_of(backbone: str) -> Any:
    """Return the family of encoders that has a backbone; None if none has.

    Those that list it are asked before those that have to look for it.
    """
    families = ENCODERS.values()
    listing = (family for family in families if backbone in family.backbones())
    having = (family for family in families if family.has(backbone))
    return next(chain(listing, having), None)


def check_name(key: str, name: str) -> None:
    """Refuse a name that no model has.

    Raises:
        RecipeError: Says at which key, and which names there are.
    """
    if split_name(name) is None:
        allowed = f"{', '.join(MODELS)}, or BACKBONE+HEAD"
        raise RecipeError(
            f"{key}: unknown value {shown(name)}; allowed are {allowed}",
            nearest(name, MODELS) or "`mpm-deploy models` lists them",
        )


def check_backbone(key: str, backbone: str) -> None:
    """Refuse a name that no backbone has.

    Raises:
        RecipeError: Says at which key, and which name is near.
    """
    if family_of(backbone) is None:
        listed = ", ".join(
            family.backbones()[0] for family in ENCODERS.values() if family.backbones()
        )
        every = [name for family in ENCODERS.values() for name in family.every_backbone()]
        raise RecipeError(
            f"{key}: unknown value {shown(backbone)}; allowed are {listed} and their kind, and the "
            "names of plain ViTs in timm, where it is installed",
            nearest(backbone, every),
        )
