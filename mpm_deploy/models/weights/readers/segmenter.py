"""Read what https://github.com/rstrudel/segmenter trains, with ``variant.yml`` beside it.

checkpoint.pth   {model: tensors by their names, optimizer, n_cls, lr_scheduler, epoch} ─▶ weights
variant.yml      net_kwargs: size, width, depth, heads, normalization, decoder          ─▶ info

https://github.com/tue-mps/CTS-segmenter writes the same, and a policy beside encoder and decoder.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.plain import PlainVit
from mpm_deploy.models.weights.checks import as_float32
from mpm_deploy.models.weights.classes import classes_of
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers.cts_policy import policy_weights
from mpm_deploy.models.weights.readers.origin import IMAGENET_MEAN, IMAGENET_STD, weights_info
from mpm_deploy.models.weights.readers.translation import Take, affine, translated
from mpm_deploy.models.weights.readers.variant import NetKwargs, read_variant
from mpm_deploy.models.weights.readers.vits import VitNames, block_weights, vit_weights
from mpm_deploy.recipe.model_names import model_name
from mpm_deploy.support.quoting import shown

KNOWN = "encoder.cls_token"  # every Segmenter has it
_NORMALIZATION = {  # mean and standard deviation, on 0..1
    "vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "deit": (IMAGENET_MEAN, IMAGENET_STD),
}
_HEADS = ("mask_transformer", "linear")
_MASK_DEPTH = 2  # blocks of the mask transformer in every published network
# The backbone's classification heads came along and are not used; nor is what only training counts.
_UNUSED = re.compile(
    r"encoder\.(head|head_dist)\.(weight|bias)|policy_net\..+\.num_batches_tracked"
)


def read_segmenter(
    path: Path, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read a Segmenter; arguments and errors are those of `read_checkpoint`."""
    variant = path.with_name("variant.yml")
    net = read_variant(variant)
    name, shape = _model(variant, net)
    used = {name: tensor for name, tensor in tensors.items() if not _UNUSED.fullmatch(name)}
    cure = "put the variant.yml of this very checkpoint beside it, and rename what was renamed"
    weights = translated(
        path, used, lambda take: _weights(take, shape, net), "the network in variant.yml", cure
    )
    mean, std = _NORMALIZATION[net.normalization]
    about = weights_info(
        path, [path], name, net.image_size, mean, std, classes_of(net.n_cls), merge=_merge(net)
    )
    return as_float32(path, weights), about


def _model(variant: Path, net: NetKwargs) -> tuple[str, EncoderConfig]:
    """Return the name of the model in the zoo that ``net`` describes, and its encoder's shape."""
    if net.decoder.name not in _HEADS:
        raise ModelError(
            f"{variant}: net_kwargs.decoder.name: expected {' or '.join(_HEADS)}, "
            f"got {shown(net.decoder.name)}",
            "use a checkpoint whose decoder is a mask transformer or a linear layer",
        )
    shape = _shape(net)
    backbone = PlainVit.find(shape) if shape else None
    if shape is None or backbone is None:
        raise ModelError(
            f"{variant}: net_kwargs: expected a backbone of the zoo, got {shown(net.backbone)} "
            f"with width {net.d_model}, {net.n_layers} blocks, {net.n_heads} heads, patch "
            f"{net.patch_size} and {1 + net.distilled} special tokens",
            "ViT-T/S/B/L and distilled DeiT-T/S/B at patch 16, and ViT-B at patch 8 are known",
        )
    return model_name(backbone, net.decoder.name), shape


def _shape(net: NetKwargs) -> EncoderConfig | None:
    """Return the shape of a network's encoder; None where it is none of a ViT."""
    if net.n_heads < 1 or net.d_model % net.n_heads:
        return None
    return EncoderConfig(
        image_size=net.image_size,
        patch_size=net.patch_size,
        width=net.d_model,
        depth=net.n_layers,
        heads=net.n_heads,
        mlp_width=4 * net.d_model,
        special_tokens=1 + net.distilled,
    )


def _merge(net: NetKwargs) -> dict[str, Any]:
    """Return the values of ``[merge]`` that a network was trained with; empty where none merged."""
    if net.shared is None:
        return {}
    return {"method": "cts", "blocks": [0], "shared": net.shared}


def _weights(take: Take, shape: EncoderConfig, net: NetKwargs) -> dict[str, Tensor]:
    tokens = ("cls_token", "dist_token")[: shape.special_tokens]
    names = VitNames(tokens, prefix="encoder.", positioned=shape.special_tokens)
    encoder = vit_weights(take, shape, names)
    if net.shared is not None:
        encoder |= policy_weights(take, "policy_net")
    if net.decoder.name == "linear":
        return encoder | affine(take, "decoder.head", "decoder.head", net.n_cls, shape.width)
    return encoder | _mask_transformer(take, shape, names, net.n_cls)


def _mask_transformer(
    take: Take, shape: EncoderConfig, names: VitNames, classes: int
) -> dict[str, Tensor]:
    width, blocks = shape.width, replace(shape, depth=_MASK_DEPTH)
    return {
        **affine(take, "decoder.proj_dec", "decoder.proj_dec", width, width),
        "decoder.cls_emb": take("decoder.cls_emb", 1, classes, width)[0],
        **block_weights(take, blocks, names, "decoder.blocks", "decoder.blocks"),
        **affine(take, "decoder.decoder_norm", "decoder.decoder_norm", width),
        "decoder.proj_patch": take("decoder.proj_patch", width, width),
        "decoder.proj_classes": take("decoder.proj_classes", width, width),
        **affine(take, "decoder.mask_norm", "decoder.mask_norm", classes),
    }
