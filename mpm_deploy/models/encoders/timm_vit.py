"""Make an encoder with the weights of a plain timm ``VisionTransformer``."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mpm_deploy.errors import MissingPackageError, ModelError
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.vit import Encoder, EncoderConfig
from mpm_deploy.models.reductions import Method


def encoder_from_timm(
    vit: nn.Module,
    blocks: Sequence[int] = (),
    method: Method | None = None,
    readout: Readout | None = None,
) -> Encoder:
    """Make an encoder that computes what ``vit.forward_features`` does, on packed tokens.

    Plain ViTs of any size are taken, with class, distillation and register tokens, LayerScale,
    qk-norm, a norm before the blocks or none after them.

    Args:
        vit: A ``timm.models.VisionTransformer``; is left as it is.
        blocks: The merge schedule, 0-based; empty computes exactly what timm does.
        method: How tokens merge; None is Mutual Pair Merging.
        readout: What a head reads of it, without queries, which timm's weights have none of; None
            is the last block's tokens.

    Returns:
        The encoder in evaluation mode; its weights are copies.

    Raises:
        ModelError: A model that is no plain ViT; names the part that is different.
        MissingPackageError: timm is not installed.
    """
    check_supported(vit)
    source: Any = vit
    encoder = Encoder(_config(source), blocks, method, readout)
    encoder.load_state_dict(_weights(source))
    return encoder.to(source.pos_embed.device).eval()


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
            "a plain timm VisionTransformer is: learned positions, full attention, a GELU MLP",
        )


def _unsupported_parts(vit: Any) -> Iterator[str]:
    if getattr(vit, "rope", None) is not None:
        yield "rotary position embedding (`rope`)"
    vision_transformer, attention, layer_scale, mlp = _timm_types()
    if any(getattr(block, "window_size", 0) for block in getattr(vit, "blocks", ())):
        yield "window attention (`blocks[i].window_size`)"
    if not isinstance(vit, vision_transformer):
        yield f"this architecture (not a `VisionTransformer`, a `{type(vit).__module__}`)"
    if type(vit).forward_features is not vision_transformer.forward_features:
        yield "a `forward_features` of its own"
    if vit.pos_embed is None:
        yield "a model without learned positions (`pos_embed`)"
    if type(vit.patch_embed.proj) is not nn.Conv2d or vit.patch_embed.proj.in_channels != 3:
        yield "a patch embedding other than one convolution of 3 channels (`patch_embed`)"
    if not isinstance(vit.patch_embed.norm, nn.Identity):
        yield "a norm in the patch embedding (`patch_embed.norm`)"
    if len({vit.patch_embed.proj.kernel_size, vit.patch_embed.proj.stride}) != 1:
        yield "overlapping patches (`patch_embed.proj.stride`)"
    for index, block in enumerate(vit.blocks):
        for part in _unsupported_in_block(block, attention, layer_scale, mlp):
            yield f"{part} in `blocks[{index}]`"
    for name in ("norm_pre", "norm"):
        if not isinstance(getattr(vit, name), nn.Identity | nn.LayerNorm):
            yield f"a {type(getattr(vit, name)).__name__} (`{name}`)"


def _unsupported_in_block(block: Any, attention: Any, layer_scale: Any, mlp: Any) -> Iterator[str]:
    if not all(hasattr(block, name) for name in ("norm1", "attn", "ls1", "norm2", "mlp", "ls2")):
        yield f"the block type `{type(block).__name__}`"
        return
    if type(block.attn) is not attention:
        yield f"the attention type `{type(block.attn).__name__}`"
        return
    if not isinstance(getattr(block.attn, "norm", None), nn.Identity | None):
        yield "a norm after attention (`attn.norm`)"
    if getattr(block.attn, "gate", None) is not None:
        yield "gated attention (`attn.gate`)"
    if block.attn.qkv.out_features != 3 * block.attn.qkv.in_features:
        yield "heads that are not width / heads wide (`attn.head_dim`)"
    if type(block.mlp) is not mlp or not isinstance(block.mlp.norm, nn.Identity):
        yield f"the MLP type `{type(block.mlp).__name__}`"
    elif not isinstance(block.mlp.act, nn.GELU) or block.mlp.act.approximate != "none":
        yield f"the activation `{block.mlp.act}`"
    for name in ("ls1", "ls2"):
        if not isinstance(getattr(block, name), nn.Identity | layer_scale):
            yield f"the scale type `{type(getattr(block, name)).__name__}`"
    for norm in (block.norm1, block.norm2, block.attn.q_norm, block.attn.k_norm):
        if not isinstance(norm, nn.Identity | nn.LayerNorm):
            yield f"a {type(norm).__name__}"
    if block.attn.proj.bias is None or block.mlp.fc1.bias is None:
        yield "a projection without bias"


def _config(vit: Any) -> EncoderConfig:
    block = vit.blocks[0]
    return EncoderConfig(
        image_size=tuple(vit.patch_embed.img_size),
        patch_size=vit.patch_embed.proj.kernel_size[0],
        width=vit.embed_dim,
        depth=len(vit.blocks),
        heads=block.attn.num_heads,
        mlp_width=block.mlp.fc1.out_features,
        special_tokens=vit.num_prefix_tokens,
        norm_epsilon=block.norm1.eps,
        qkv_bias=block.attn.qkv.bias is not None,
        qk_norm=isinstance(block.attn.q_norm, nn.LayerNorm),
        layer_scale=not isinstance(block.ls1, nn.Identity),
        pre_norm=isinstance(vit.norm_pre, nn.LayerNorm),
        final_norm=isinstance(vit.norm, nn.LayerNorm),
    )


def _weights(vit: Any) -> dict[str, Tensor]:
    """Return the weights under this package's names, with positions added to special tokens."""
    special, position = _special_and_position(vit)
    proj = vit.patch_embed.proj
    weights = {
        "special": special,
        "position": position,
        "patch_embed.weight": proj.weight,
        "patch_embed.bias": proj.bias if proj.bias is not None else torch.zeros(vit.embed_dim),
    }
    for name, tensor in vit.state_dict().items():
        if name.split(".")[0] in ("blocks", "norm_pre", "norm"):
            weights[_our_name(name)] = tensor
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _special_and_position(vit: Any) -> tuple[Tensor, Tensor]:
    """Return the special tokens ``(E, C)`` and the patches' positions ``(N, C)``."""
    named = (getattr(vit, name, None) for name in ("cls_token", "dist_token", "reg_token"))
    tokens = [token[0] for token in named if token is not None]
    special = torch.cat(tokens) if tokens else vit.pos_embed.new_zeros(0, vit.embed_dim)
    if vit.no_embed_class:
        return special, vit.pos_embed[0]
    count = special.shape[0]
    return special + vit.pos_embed[0, :count], vit.pos_embed[0, count:]


def _our_name(name: str) -> str:
    for theirs, ours in (
        (".attn.", "."),
        (".mlp.", "."),
        (".ls1.", ".scale1."),
        (".ls2.", ".scale2."),
    ):
        name = name.replace(theirs, ours)
    return name


def import_timm() -> Any:
    """Import the package timm and return it.

    Raises:
        MissingPackageError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingPackageError(
            "reading a timm model needs timm", "pip install 'mpm-deploy[build]'"
        ) from error
    return timm


def _timm_types() -> tuple[Any, Any, Any, Any]:
    # From where VisionTransformer takes them itself: not every timm 1.0 has them in its layers.
    module = import_timm().models.vision_transformer
    return module.VisionTransformer, module.Attention, module.LayerScale, module.Mlp
