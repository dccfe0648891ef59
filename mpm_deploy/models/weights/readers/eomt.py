"""Read EoMT as its authors save it (https://github.com/tue-mps/eomt), and translate its head.

pytorch_model.bin, NAME.ckpt   {network.encoder.backbone: timm's ViT, network: the head} ─▶ weights

A file of theirs says its shapes and nothing else; all that is needed follows from them.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.heads.eomt import EomtHead
from mpm_deploy.models.weights.classes import classes_of
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers.origin import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Channels,
    weights_info,
)
from mpm_deploy.models.weights.readers.translation import Take, affine, translated
from mpm_deploy.models.weights.readers.vits import (
    VitNames,
    length,
    listed,
    measured,
    named_backbone,
    square_side,
    vit_weights,
)
from mpm_deploy.recipe.model_names import model_name
from mpm_deploy.support.family import OptionError

KNOWN = "network.encoder.backbone.cls_token"
KNOWN_OF_DIFFERENCES = "network.encoder.backbone.patch_embed.cls_token"
_CURE = "take the file as https://github.com/tue-mps/eomt publishes or trains it"
# Mean and standard deviation of pixels on 0..1, and those of files without.
_PIXELS = {
    "network.encoder.pixel_mean": IMAGENET_MEAN,
    "network.encoder.pixel_std": IMAGENET_STD,
}
_VIT = VitNames(("cls_token", "reg_token"), prefix="network.encoder.backbone.", positioned=0)
_UNUSED = re.compile(r"criterion\.\w+|network\.attn_mask_probs")  # what training keeps


@dataclass(frozen=True)
class EomtNames:
    """Says by which names a file keeps the head of an EoMT; those left out are its authors'.

    Args:
        queries: The learned queries, ``(Q, C)``.
        classes: The layer that scores classes, and "no object" last.
        masks: The three layers of the mask head.
        upscale: The list of steps that make the grid finer.
        norm: The norm of such a step.
        mask_shares: How often training limits attention to masks, for each block of queries.
    """

    queries: str = "network.q.weight"
    classes: str = "network.class_head"
    masks: tuple[str, str, str] = (
        "network.mask_head.0",
        "network.mask_head.2",
        "network.mask_head.4",
    )
    upscale: str = "network.upscale"
    norm: str = "norm"
    mask_shares: str = "network.attn_mask_probs"


def read_eomt(path: Path, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read an EoMT of its authors; arguments and errors are those of `read_checkpoint`."""
    names, options = EomtNames(), measured_head(tensors, EomtNames())
    positions = f"{_VIT.prefix}{_VIT.position}"
    backbone, shape = named_backbone(path, measured(tensors, _VIT))
    side = square_side(path, tensors, positions, 0, _CURE) * shape.patch_size
    shape = replace(shape, image_size=(side, side))
    classes, head = options.pop("classes", 1), _head(path, options, shape)
    check_unmasked(path, tensors, names)

    def weights_of(take: Take) -> dict[str, Tensor]:
        pixels = {name: take(name, 1, 3, 1, 1) for name in _PIXELS if name in tensors}
        return {
            **vit_weights(take, shape, _VIT),
            **eomt_weights(take, names, shape, classes, head),
            **pixels,
        }

    used = {name: tensor for name, tensor in tensors.items() if not _UNUSED.fullmatch(name)}
    weights = translated(path, used, weights_of, "an EoMT of this size", _CURE)
    mean, std = (_channels(weights.pop(name, None), default) for name, default in _PIXELS.items())
    info = weights_info(
        path,
        [path],
        model_name(backbone, "eomt"),
        shape.image_size,
        mean,
        std,
        classes_of(classes),
        head=asdict(head),
        input={"fit": "slide_evenly"},
    )
    return weights, info


def refuse_differences(path: Path, _: Mapping[str, Tensor]) -> NoReturn:
    """Refuse a file that holds what to add to the weights of DINOv3, which are not in it."""
    raise ModelError(
        f"{path}: expected the weights of an EoMT, got differences from those of DINOv3, whose "
        "license does not let them be passed on",
        "take the folder of an EomtDinov3ForUniversalSegmentation: the conversion script of "
        "transformers for eomt_dinov3 writes it from this file and DINOv3's weights",
    )


def measured_head(tensors: Mapping[str, Tensor], names: EomtNames) -> dict[str, int]:
    """Return the number of classes, and the options of `EomtHead`, as the shapes in a file say.

    What a missing tensor would tell is left out.
    """
    scored = length(tensors, f"{names.classes}.weight", 0)
    facts = {
        "classes": scored and scored - 1,
        "queries": length(tensors, names.queries, 0),
        "query_blocks": length(tensors, names.mask_shares, 0),
        "upscaling": listed(tensors, names.upscale),
    }
    return {name: fact for name, fact in facts.items() if fact}


def check_unmasked(place: object, tensors: Mapping[str, Tensor], names: EomtNames) -> None:
    """Refuse an EoMT whose queries attend within their masks alone.

    Raises:
        ModelError: Training has not come to where it leaves attention unlimited.
    """
    shares = tensors.get(names.mask_shares)
    if shares is not None and shares.count_nonzero():
        raise ModelError(
            f"{place}: {names.mask_shares}: expected zeros, got {shares.flatten().tolist()[:8]}: "
            "queries of these blocks attend within their masks, which costs the speed of EoMT",
            "train to the end of the annealing, after which attention is not masked; for speed "
            "alone set them to zero before the model is saved",
        )


def eomt_weights(
    take: Take, names: EomtNames, shape: EncoderConfig, classes: int, head: EomtHead
) -> dict[str, Tensor]:
    """Take the queries and the tensors of the head."""
    width = shape.width
    weights = {
        "encoder.queries": take(names.queries, head.queries, width),
        **affine(take, "decoder.class_head", names.classes, classes + 1, width),
    }
    for number, mask in enumerate(names.masks):
        weights |= affine(take, f"decoder.mask_head.{2 * number}", mask, width, width)
    for step in range(head.upscaling):
        weights |= _twice_as_fine(
            take, f"decoder.upscale.{step}", f"{names.upscale}.{step}", names.norm, width
        )
    return weights


def _twice_as_fine(take: Take, ours: str, theirs: str, norm: str, width: int) -> dict[str, Tensor]:
    kernel = take(f"{theirs}.conv1.weight", width, width, 2, 2)  # (in, out, down, across)
    return {
        # The windows of the transposed convolution do not overlap: each is four rows of a product.
        f"{ours}.fine.weight": kernel.permute(2, 3, 1, 0).reshape(4 * width, width),
        f"{ours}.fine.bias": take(f"{theirs}.conv1.bias", width).repeat(4),
        f"{ours}.blending.weight": take(f"{theirs}.conv2.weight", width, 1, 3, 3),
        **affine(take, f"{ours}.norm", f"{theirs}.{norm}", width),
    }


def _head(path: Path, options: Mapping[str, int], shape: EncoderConfig) -> EomtHead:
    try:
        head = EomtHead(**options)
    except OptionError as error:
        raise ModelError(f"{path}: {error.problem}", _CURE) from error
    if head.query_blocks > shape.depth:
        raise ModelError(
            f"{path}: network.attn_mask_probs: expected 1 to {shape.depth} blocks of queries, got "
            f"{head.query_blocks}",
            _CURE,
        )
    return head


def _channels(pixels: Tensor | None, default: Channels) -> Channels:
    """Return three numbers as they were before float32 rounded them."""
    if pixels is None:
        return default
    red, green, blue = (float(f"{value:.7g}") for value in pixels.flatten().tolist())
    return red, green, blue
