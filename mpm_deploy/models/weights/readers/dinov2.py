"""Read backbones and segmentation heads of https://github.com/facebookresearch/dinov2.

dinov2_vits14_pretrain.pth             a ViT's tensors, nearly by timm's names ─▶ an encoder
dinov2_vits14_ade20k_linear_head.pth   {meta, state_dict: BatchNorm, 1 × 1 convolution}
                                       and the backbone beside it ─▶ weights
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.weights.checks import as_float32, unwrapped
from mpm_deploy.models.weights.classes import classes_of
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers.origin import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    encoder_info,
    weights_info,
)
from mpm_deploy.models.weights.readers.pickles import load, state_dicts
from mpm_deploy.models.weights.readers.translation import Take, translated
from mpm_deploy.models.weights.readers.vits import (
    VitNames,
    length,
    measured,
    named_backbone,
    square_side,
    vit_weights,
)
from mpm_deploy.recipe.model_names import model_name

KNOWN = "mask_token"  # every backbone has it, for its training
KNOWN_OF_HEAD = "decode_head.conv_seg.weight"
_PAGE = "https://github.com/facebookresearch/dinov2"
_CURE = f"take the file as {_PAGE} publishes it"
_COUNTER = "decode_head.bn.num_batches_tracked"
_BN_EPSILON = 1e-5
_TAPS = (1, 4)  # blocks that a head reads: "linear", "ms"
# The authors test in windows of 512, which the model pads to whole patches.
_WINDOW = (512, 512)
_INPUT = {"fit": "slide", "stride": 341, "pad": "center"}


def read_backbone(
    path: Path, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read a backbone without a head; arguments and errors are those of `read_checkpoint`."""
    backbone, shape, weights = _read_vit(path, tensors)
    return weights, encoder_info(model_name(backbone, "linear"), shape.image_size)


def read_head(path: Path, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read a head, and the backbone that lies beside it under the name it was published by.

    Arguments and errors are those of `read_checkpoint`.
    """
    beside = _backbone_of(path)
    backbone, shape, weights = _read_vit(beside, _backbone_in(beside))
    classes = length(tensors, KNOWN_OF_HEAD, 0) or 1
    taps = _taps(path, tensors, beside, shape.width)
    used = {name: tensor for name, tensor in tensors.items() if name != _COUNTER}
    width = taps * shape.width
    head = translated(path, used, lambda take: _linear(take, classes, width), "a head on it", _CURE)
    info = weights_info(
        path,
        [path, beside],
        model_name(backbone, "linear"),
        _WINDOW,
        IMAGENET_MEAN,
        IMAGENET_STD,
        classes_of(classes),
        head={"taps": taps},
        input=dict(_INPUT),
    )
    return weights | as_float32(path, head), info


def _backbone_of(path: Path) -> Path:
    """Return the backbone beside a head: ``dinov2_vits14_pretrain.pth``, of whichever size."""
    size, patch, _ = path.name.partition("14_")
    if not patch:
        raise ModelError(
            f"{path}: expected the name that a head of DINOv2 is published by, which says what its "
            f"backbone is called, as dinov2_vits14_ade20k_linear_head.pth, got {path.name!r}",
            "call it that again, of its own size",
        )
    beside = path.with_name(f"{size}14_pretrain.pth")
    if beside.is_file():
        return beside
    raise ModelError(
        f"{beside}: cannot be read: a head of DINOv2 needs the backbone that it was trained on "
        "beside it",
        f"{_PAGE} links both: put them in one folder, and keep their names",
    )


def _backbone_in(path: Path) -> dict[str, Tensor]:
    for tensors in state_dicts(load(path)):
        network = unwrapped(tensors, KNOWN)
        if KNOWN in network:
            return network
    raise ModelError(f"{path}: expected a backbone of DINOv2, with {KNOWN!r}, got another", _CURE)


def _read_vit(
    path: Path, tensors: Mapping[str, Tensor]
) -> tuple[str, EncoderConfig, dict[str, Tensor]]:
    """Return the backbone's name, its shape at the size it was trained for, and its weights."""
    names = _names(tensors)
    backbone, shape = named_backbone(path, measured(tensors, names))
    side = square_side(path, tensors, "pos_embed", 1, _CURE) * shape.patch_size
    shape = replace(shape, image_size=(side, side))
    used = {name: tensor for name, tensor in tensors.items() if name != KNOWN}
    weights = translated(
        path, used, lambda take: vit_weights(take, shape, names), "a backbone of this size", _CURE
    )
    return backbone, shape, weights


def _names(tensors: Mapping[str, Tensor]) -> VitNames:
    tokens = ("cls_token", "register_tokens")
    names = VitNames(tokens if tokens[1] in tensors else tokens[:1])
    if "blocks.0.mlp.w12.weight" in tensors:
        return replace(names, fc1=("mlp.w12",), fc2="mlp.w3")
    return names


def _taps(path: Path, tensors: Mapping[str, Tensor], beside: Path, width: int) -> int:
    channels = length(tensors, KNOWN_OF_HEAD, 1) or 0
    taps, rest = divmod(channels, width)
    if rest or taps not in _TAPS:
        raise ModelError(
            f"{path}: {KNOWN_OF_HEAD}: expected {width} or {_TAPS[1] * width} channels, as "
            f"{beside.name} gives them, got {channels}",
            "put the backbone beside it that the head was trained on; heads read one block or four",
        )
    return taps


def _linear(take: Take, classes: int, width: int) -> dict[str, Tensor]:
    """Take a BatchNorm and a 1 × 1 convolution as one linear layer, which computes the same."""
    bn = "decode_head.bn"
    mean, variance = take(f"{bn}.running_mean", width), take(f"{bn}.running_var", width)
    weight, bias = take(f"{bn}.weight", width), take(f"{bn}.bias", width)
    kernel = take(KNOWN_OF_HEAD, classes, width, 1, 1).flatten(1).double()  # (K, C)
    shift = take("decode_head.conv_seg.bias", classes).double()
    scale = weight.double() / (variance.double() + _BN_EPSILON).sqrt()
    return {
        "decoder.head.weight": kernel * scale,
        "decoder.head.bias": shift + kernel @ (bias.double() - mean.double() * scale),
    }
