"""Read EVA-01 with ViT-Adapter and Mask2Former's head, as its authors train it with MMSegmentation.

eva_sem_seg_mask2former_ade_ss61p5_ms62p3.pth   {meta, state_dict: backbone.*, decode_head.*}

They are https://github.com/baaivision/EVA, whose folder EVA-01/seg has the program and the links. A
file says its shapes and nothing else; how images are normalized and windows laid is what its
configurations say, but for one thing: those stretch an image, once its shorter side is that of a
window, to whole multiples of 32 pixels, and here it keeps its ratio.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.adapted_vit import PATCH_SIZE
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.eva import EvaAdapter
from mpm_deploy.models.heads.mask2former.head import Mask2FormerHead
from mpm_deploy.models.weights.classes import classes_of
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers.mask2former import (
    mask2former_weights,
    measured_mask2former,
)
from mpm_deploy.models.weights.readers.origin import IMAGENET_MEAN, IMAGENET_STD, weights_info
from mpm_deploy.models.weights.readers.translation import Take, affine, translated
from mpm_deploy.models.weights.readers.vit_adapter import adapter_weights, measured_adapter
from mpm_deploy.models.weights.readers.vits import (
    VitNames,
    block_weights,
    length,
    listed,
    square_side,
)
from mpm_deploy.recipe.model_names import model_name
from mpm_deploy.support.family import OptionError

T = TypeVar("T")

KNOWN = "backbone.level_embed"  # every ViT-Adapter has it
KNOWN_OF_HEAD = "decode_head.query_feat.weight"
_PAGE = "https://github.com/baaivision/EVA"
_CURE = f"take the file as {_PAGE} publishes or trains it, in EVA-01/seg"
_BACKBONE, _HEAD = "backbone.", "decode_head."
_NAMES = VitNames(("cls_token",), prefix=_BACKBONE, biases=("attn.q_bias", "attn.v_bias"))
# What only training counts, and a layer that every head of MMSegmentation is made with.
_UNUSED = re.compile(r".+\.num_batches_tracked|decode_head\.conv_seg\.(weight|bias)")
_OF_OTHER_VARIANT = re.compile(
    r"backbone\.(rel_pos_bias|blocks\.\d+)\.(.+\.)?(relative_\w+|gamma_\d)"
)
_STRIDE = 512  # from window to window, as the authors test windows of 896


def read_eva(path: Path, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read an EVA-01 with adapter and head; arguments and errors are those of `read_checkpoint`."""
    _refuse_other_backbone(path, tensors)
    _refuse_other_variant(path, tensors)
    options = measured_mask2former(tensors, _HEAD)
    classes, head = options.pop("classes", 1), _made(path, Mask2FormerHead, options)
    backbone = _made(path, EvaAdapter, _measured_backbone(tensors))
    side = square_side(path, tensors, "backbone.pos_embed", 1, _CURE) * PATCH_SIZE

    def weights_of(take: Take) -> dict[str, Tensor]:
        return {
            **_vit(take, backbone, side),
            **adapter_weights(take, backbone, _BACKBONE),
            **mask2former_weights(take, head, backbone.width, classes, _HEAD),
        }

    used = {name: tensor for name, tensor in tensors.items() if not _UNUSED.fullmatch(name)}
    weights = translated(path, used, weights_of, "an EVA-01 of this size", _CURE)
    info = weights_info(
        path,
        [path],
        model_name(EvaAdapter.backbones()[0], "mask2former"),
        (side, side),
        IMAGENET_MEAN,
        IMAGENET_STD,
        classes_of(classes),
        backbone=asdict(backbone),
        head=asdict(head),
        input={"fit": "slide", "stride": min(_STRIDE, side)},
    )
    return weights, info


def _refuse_other_variant(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name in tensors:
        if _OF_OTHER_VARIANT.fullmatch(name):
            raise ModelError(
                f"{path}: {name}: expected EVA-01 without relative positions and LayerScale, got "
                "the variant with them: it adds a number to attention for each pair of patches, "
                "and a merged token is several patches",
                "take eva_sem_seg_mask2former_ade_ss61p5_ms62p3.pth, or that without relpos in its "
                f"name for other classes: {_PAGE}",
            )


def _refuse_other_backbone(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if not any(name.startswith(f"{_BACKBONE}interactions.") for name in tensors):
        raise ModelError(
            f"{path}: expected Mask2Former's head on an EVA-01 with ViT-Adapter, got one on "
            f"another backbone: no tensor is named {_BACKBONE}interactions.*",
            f"take a model of EVA-01 as {_PAGE} has it, or a head that is on a plain ViT",
        )


def _measured_backbone(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the options of `EvaAdapter` that tensors tell.

    How many heads a block has, none tells: as many as the adapter.
    """
    adapter = measured_adapter(tensors, _BACKBONE)
    facts = {
        "width": length(tensors, "backbone.cls_token", -1),
        "depth": listed(tensors, "backbone.blocks"),
        "heads": adapter.get("adapter_heads"),
        "mlp_width": length(tensors, "backbone.blocks.0.mlp.fc1.weight", 0),
    }
    return adapter | {option: fact for option, fact in facts.items() if fact}


def _made(path: Path, kind: type[T], options: Mapping[str, int]) -> T:
    try:
        return kind(**options)
    except OptionError as error:
        raise ModelError(f"{path}: {error.problem}", _CURE) from error


def _vit(take: Take, backbone: EvaAdapter, side: int) -> dict[str, Tensor]:
    """Take the ViT, whose class token has no position.

    The file has one for it, which the authors' forward adds to nothing.
    """
    width, patch = backbone.width, PATCH_SIZE
    shape = EncoderConfig(
        (side, side), patch, width, backbone.depth, backbone.heads, backbone.mlp_width
    )
    patches = shape.grid[0] * shape.grid[1]
    return {
        "encoder.special": take("backbone.cls_token", 1, 1, width)[0],
        "encoder.position": take("backbone.pos_embed", 1, 1 + patches, width)[0, 1:],
        **affine(take, "encoder.patch_embed", "backbone.patch_embed.proj", width, 3, patch, patch),
        **block_weights(take, shape, _NAMES, "backbone.blocks", "encoder.blocks"),
    }
