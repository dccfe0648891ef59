"""Make an encoder of a plain ViT of timm: by its name, or with the weights of a model.

timm has plain ViTs in two classes: `VisionTransformer`, and `Eva`, in which DINOv3's are. Both are
read part by part, and refused by the first part that the encoder does not compute.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import nn

from mpm_deploy.errors import MissingPackageError, ModelError
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.timm_weights import block_facts, config_of, weights_of
from mpm_deploy.models.encoders.vit import Encoder, VitFamily
from mpm_deploy.models.reductions import Method
from mpm_deploy.models.timm_package import import_timm
from mpm_deploy.models.weights.checks import check_has_reductions
from mpm_deploy.support.refusal import line_of

# What RotaryEmbeddingDinoV3 must be like to be what `Rotary` computes.
_ROTARY = {
    "rotate_half": True,
    "normalize_coords": "separate",
    "grid_indexing": "ij",
    "grid_offset": 0,
    "min_period": None,
    "max_period": None,
}


class TimmVit(VitFamily):
    """The plain ViTs that timm can make, by timm's names, with a tag or without.

    They are too many for a list, and which are plain is known once one is made.
    """

    @classmethod
    def backbones(cls) -> tuple[str, ...]:
        return ()

    @classmethod
    def every_backbone(cls) -> Iterable[str]:
        try:
            names: list[str] = import_timm().list_models()
        except MissingPackageError:
            return ()
        return names

    @classmethod
    def has(cls, backbone: str) -> bool:
        return super().has(backbone.partition(".")[0])

    @classmethod
    def shape(cls, backbone: str) -> EncoderConfig:
        return _shape(backbone)

    @classmethod
    def find(cls, config: EncoderConfig, name: str) -> str | None:
        """Return the name without its tag if timm's model of that name has this shape.

        A model that somebody made may be of another one than its name says.
        """
        backbone = name.partition(".")[0]
        if not cls.has(backbone):
            return None
        one_patch = (config.patch_size, config.patch_size)
        alike = replace(config, image_size=one_patch) == cls.shape(backbone)
        return backbone if alike else None


@cache
def _shape(name: str) -> EncoderConfig:
    """Return the shape of a model of timm at an input of one patch, without making its weights."""
    timm = import_timm()
    try:
        with torch.device("meta"):
            vit = timm.create_model(name)
    except Exception as error:  # each of timm's models raises what it likes
        raise ModelError(
            f"{name}: timm cannot make it: {type(error).__name__}: {line_of(error)}",
            f"timm.list_pretrained('{name.partition('.')[0]}*') lists the names with their tags",
        ) from error
    check_supported(vit)
    config = config_of(vit)
    return replace(config, image_size=(config.patch_size, config.patch_size))


def encoder_from_timm(
    vit: nn.Module,
    blocks: Sequence[int] = (),
    method: Method | None = None,
    readout: Readout | None = None,
) -> Encoder:
    """Make an encoder that computes what ``vit.forward_features`` does, on packed tokens.

    Plain ViTs of any size are taken, with class, distillation and register tokens, LayerScale,
    qk-norm, SwiGLU, DINOv3's rotary positions, a norm before the blocks or none after them.

    Args:
        vit: A ``timm.models.VisionTransformer`` or ``timm.models.Eva``; is left as it is.
        blocks: The merge schedule, 0-based; empty computes exactly what timm does.
        method: How tokens merge; None is Mutual Pair Merging.
        readout: What a head reads of it, without queries, which timm's weights have none of; None
            is the last block's tokens.

    Returns:
        The encoder in evaluation mode; its weights are copies.

    Raises:
        ModelError: A model that is no plain ViT, of which it names the part that is different; or
            a method that has weights of its own.
        MissingPackageError: timm is not installed.
    """
    check_supported(vit)
    encoder = Encoder(config_of(vit), blocks, method, readout)
    weights = weights_of(vit)
    check_has_reductions(type(vit).__name__, encoder.state_dict(), weights)
    encoder.load_state_dict(weights)
    return encoder.to(next(vit.parameters()).device).eval()


def check_supported(vit: nn.Module) -> None:
    """Refuse a timm ViT with a part that the encoder does not compute.

    Raises:
        ModelError: A model that is no plain ViT; names the part that is different.
        MissingPackageError: timm is not installed.
    """
    unsupported = next(_unsupported_parts(vit), None)
    if unsupported is not None:
        raise ModelError(
            f"{type(vit).__name__}: {unsupported} is not supported",
            "a plain ViT of timm is: learned positions or DINOv3's rotary ones, full attention, "
            "an MLP with GELU or SwiGLU",
        )


def _unsupported_parts(vit: Any) -> Iterator[str]:
    models = import_timm().models
    plain, eva = models.vision_transformer.VisionTransformer, models.eva.Eva
    yield from _unsupported_in_rope(getattr(vit, "rope", None))
    if any(getattr(block, "window_size", 0) for block in getattr(vit, "blocks", ())):
        yield "window attention (`blocks[i].window_size`)"
    if not isinstance(vit, plain | eva):
        yield f"this architecture (not a `VisionTransformer`, a `{type(vit).__module__}`)"
    kind = eva if isinstance(vit, eva) else plain
    if type(vit).forward_features is not kind.forward_features:
        yield "a `forward_features` of its own"
    if vit.pos_embed is None and getattr(vit, "rope", None) is None:
        yield "a model without positions (`pos_embed`)"
    if type(vit.patch_embed.proj) is not nn.Conv2d or vit.patch_embed.proj.in_channels != 3:
        yield "a patch embedding other than one convolution of 3 channels (`patch_embed`)"
    if not isinstance(vit.patch_embed.norm, nn.Identity):
        yield "a norm in the patch embedding (`patch_embed.norm`)"
    if len({vit.patch_embed.proj.kernel_size, vit.patch_embed.proj.stride}) != 1:
        yield "overlapping patches (`patch_embed.proj.stride`)"
    if len({*vit.patch_embed.proj.kernel_size}) != 1:
        yield "patches that are not square (`patch_embed.proj.kernel_size`)"
    for index, block in enumerate(vit.blocks):
        for part in _unsupported_in_block(block, models):
            yield f"{part} in `blocks[{index}]`"
    for name in ("norm_pre", "norm"):
        if not isinstance(getattr(vit, name), nn.Identity | nn.LayerNorm):
            yield f"a {type(getattr(vit, name)).__name__} (`{name}`)"
    yield from _unsupported_differences(vit)


def _unsupported_differences(vit: Any) -> Iterator[str]:
    """Name what is not the same throughout a ViT whose parts are all supported."""
    facts = block_facts(vit.blocks[0])
    for index, block in enumerate(vit.blocks):
        for name, fact in block_facts(block).items():
            if fact != facts[name]:
                yield f"a `blocks[{index}]` with {name} {fact}, not {facts[name]} as the first,"
    norms = [vit.norm_pre, *vit.blocks.modules(), vit.norm]
    epsilons = {norm.eps for norm in norms if isinstance(norm, nn.LayerNorm)}
    if len(epsilons) > 1:
        yield f"a ViT with norms of different epsilon ({', '.join(map(str, sorted(epsilons)))})"


def _unsupported_in_rope(rope: Any) -> Iterator[str]:
    if rope is None:
        return
    if type(rope).__name__ != "RotaryEmbeddingDinoV3":
        yield f"rotary position embedding other than DINOv3's (`rope`, a `{type(rope).__name__}`)"
    for name, wanted in _ROTARY.items():
        if getattr(rope, name) != wanted:
            yield f"rotary position embedding with {getattr(rope, name)!r} (`rope.{name}`)"


def _unsupported_in_block(block: Any, models: Any) -> Iterator[str]:
    scales = ("gamma_1", "gamma_2") if type(block) is models.eva.EvaBlock else ("ls1", "ls2")
    if not all(hasattr(block, name) for name in ("norm1", "attn", "norm2", "mlp", *scales)):
        yield f"the block type `{type(block).__name__}`"
        return
    first, second = (getattr(block, name) for name in scales)
    kinds = nn.Identity | nn.Parameter | models.vision_transformer.LayerScale | None
    for scale in (first, second):
        if not isinstance(scale, kinds):
            yield f"the scale type `{type(scale).__name__}`"
    if type(first) is not type(second):
        yield f"LayerScale in one branch alone (`{scales[0]}`)"
    for norm in (block.norm1, block.norm2):
        if not isinstance(norm, nn.LayerNorm):
            yield f"a {type(norm).__name__}"
    yield from _unsupported_in_attention(block.attn, models)
    yield from _unsupported_in_mlp(block.mlp, models)


def _unsupported_in_attention(attn: Any, models: Any) -> Iterator[str]:
    if type(attn) not in (models.vision_transformer.Attention, models.eva.EvaAttention):
        yield f"the attention type `{type(attn).__name__}`"
    if not isinstance(getattr(attn, "norm", None), nn.Identity | None):
        yield "a norm after attention (`attn.norm`)"
    if getattr(attn, "gate", None) is not None:
        yield "gated attention (`attn.gate`)"
    if attn.head_dim * attn.num_heads != attn.proj.out_features:
        yield "heads that are not width / heads wide (`attn.head_dim`)"
    for norm in (attn.q_norm, attn.k_norm):
        if not isinstance(norm, nn.Identity | nn.LayerNorm):
            yield f"a {type(norm).__name__}"
    if attn.proj.bias is None:
        yield "a projection without bias (`attn.proj`)"


def _unsupported_in_mlp(mlp: Any, models: Any) -> Iterator[str]:
    gated = type(mlp) in (models.eva.GluMlp, models.eva.SwiGLU)
    if not gated and type(mlp) is not models.vision_transformer.Mlp:
        yield f"the MLP type `{type(mlp).__name__}`"
    if not isinstance(mlp.norm, nn.Identity):
        yield "a norm in the MLP (`mlp.norm`)"
    exact = isinstance(mlp.act, nn.GELU) and mlp.act.approximate == "none"
    if not (isinstance(mlp.act, nn.SiLU) if gated else exact):
        yield f"the activation `{mlp.act}`"
    if getattr(mlp, "gate_last", False):
        yield "an MLP whose second half is the gate (`mlp.gate_last`)"
    if any(layer.bias is None for layer in mlp.children() if isinstance(layer, nn.Linear)):
        yield "an MLP without biases (`mlp`)"
