"""Read the shape and the weights of a plain ViT of timm, under this package's names.

VisionTransformer           Eva
ls1.gamma                   gamma_1                          scale1.gamma
attn.qkv.bias               attn.q_bias, none, attn.v_bias   qkv.bias
mlp.fc1                     mlp.fc1, or fc1_g and fc1_x      fc1, the gate's half first
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mpm_deploy.models.encoders.config import EncoderConfig


def config_of(vit: Any) -> EncoderConfig:
    """Return the shape of a ``timm.models.VisionTransformer`` or ``timm.models.Eva``.

    Args:
        vit: One that `check_supported` has let pass.
    """
    rope = getattr(vit, "rope", None)
    side = vit.patch_embed.proj.kernel_size[0]
    down, across = vit.patch_embed.grid_size
    return EncoderConfig(
        image_size=(side * down, side * across),  # of whole patches: timm ignores what is left over
        patch_size=side,
        width=vit.embed_dim,
        depth=len(vit.blocks),
        special_tokens=vit.num_prefix_tokens,
        pre_norm=isinstance(vit.norm_pre, nn.LayerNorm),
        final_norm=isinstance(vit.norm, nn.LayerNorm),
        rotary_base=None if rope is None else rope.temperature,
        position_resize="bicubic_antialiased",
        **block_facts(vit.blocks[0]),
    )


def block_facts(block: Any) -> dict[str, Any]:
    """Return what a block says of a ViT's shape, by fields of `EncoderConfig`.

    Args:
        block: One whose parts `check_supported` has let pass.
    """
    return {
        "heads": block.attn.num_heads,
        "mlp_width": block.mlp.fc2.in_features,
        "gated_mlp": isinstance(block.mlp.act, nn.SiLU),
        "norm_epsilon": block.norm1.eps,
        "qkv_bias": _qkv_bias(block.attn) is not None,
        "qk_norm": isinstance(block.attn.q_norm, nn.LayerNorm),
        "layer_scale": _scale(block, 1) is not None,
    }


def weights_of(vit: Any) -> dict[str, Tensor]:
    """Return copies of the weights, with positions added to special tokens.

    Args:
        vit: One that `check_supported` has let pass.
    """
    special, position = _special_and_position(vit)
    proj = vit.patch_embed.proj
    weights = {
        "special": special,
        "position": position,
        "patch_embed.weight": proj.weight,
        "patch_embed.bias": proj.bias if proj.bias is not None else torch.zeros(vit.embed_dim),
        **_named("norm_pre", vit.norm_pre),
        **_named("norm", vit.norm),
    }
    for index, block in enumerate(vit.blocks):
        for name, tensor in _of_block(block):
            weights[f"blocks.{index}.{name}"] = tensor
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _special_and_position(vit: Any) -> tuple[Tensor, Tensor]:
    """Return the special tokens ``(E, C)`` and the patches' positions ``(N, C)``."""
    named = (getattr(vit, name, None) for name in ("cls_token", "dist_token", "reg_token"))
    tokens = [token[0] for token in named if token is not None]
    special = torch.cat([vit.patch_embed.proj.weight.new_zeros(0, vit.embed_dim), *tokens])
    if vit.pos_embed is None:
        return special, special.new_zeros(vit.patch_embed.num_patches, vit.embed_dim)
    if vit.no_embed_class:
        return special, vit.pos_embed[0]
    count = special.shape[0]
    return special + vit.pos_embed[0, :count], vit.pos_embed[0, count:]


def _of_block(block: Any) -> Iterator[tuple[str, Tensor]]:
    attn, mlp = block.attn, block.mlp
    parts = {
        "norm1": block.norm1,
        "q_norm": attn.q_norm,
        "k_norm": attn.k_norm,
        "proj": attn.proj,
        "norm2": block.norm2,
        "fc2": mlp.fc2,
    }
    for name, part in parts.items():
        yield from _named(name, part).items()
    layers = [attn.qkv] if attn.qkv is not None else [attn.q_proj, attn.k_proj, attn.v_proj]
    yield "qkv.weight", torch.cat([layer.weight for layer in layers])
    bias = _qkv_bias(attn)
    if bias is not None:
        yield "qkv.bias", bias
    layers = [mlp.fc1] if hasattr(mlp, "fc1") else [mlp.fc1_g, mlp.fc1_x]
    yield "fc1.weight", torch.cat([layer.weight for layer in layers])
    yield "fc1.bias", torch.cat([layer.bias for layer in layers])
    for number in (1, 2):
        scale = _scale(block, number)
        if scale is not None:
            yield f"scale{number}.gamma", scale


def _named(name: str, part: nn.Module) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for key, tensor in part.state_dict().items()}


def _qkv_bias(attn: Any) -> Tensor | None:
    """Return the biases of queries, keys and values in one, ``(3 C,)``.

    Eva's keys have none, which is zero. Where its queries and values have none either they are zero
    too, so that DINOv3's ViTs, whose small ones do without, are of one shape.
    """
    if not hasattr(attn, "q_bias"):
        bias: Tensor | None = attn.qkv.bias
        return bias
    zero = attn.proj.bias.new_zeros(attn.proj.in_features)
    fused = attn.qkv is not None
    q, v = (attn.q_bias, attn.v_bias) if fused else (attn.q_proj.bias, attn.v_proj.bias)
    return torch.cat([zero if q is None else q, zero, zero if v is None else v])


def _scale(block: Any, number: int) -> Tensor | None:
    """Return the factors of a branch's LayerScale, ``(C,)``; None where it has none."""
    scale: Tensor | None = getattr(block, f"gamma_{number}", None)
    return getattr(getattr(block, f"ls{number}", None), "gamma", scale)
