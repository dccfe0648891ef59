"""Translate a plain ViT, by whatever names a file keeps its tensors, and tell which ViT it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.families import ENCODERS
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.named import NamedVits
from mpm_deploy.models.weights.readers.translation import Take, affine

_NEAREST = 3  # names of shapes that a refusal tells


@dataclass(frozen=True)
class VitNames:
    """Says by which names a file keeps a ViT's tensors; those left out are timm's.

    Args:
        tokens: The class token, and the distillation token or registers, ``(1, E, C)`` each.
        prefix: What stands in front of every name.
        patch_embed: The convolution that embeds patches.
        position: The positions; None where they are rotary.
        positioned: How many of the first special tokens have positions, before the patches'.
        position_is_table: Whether they are ``(N, C)``, as an embedding's are, not ``(1, N, C)``.
        blocks: The list of blocks.
        qkv: The projection to queries, keys and values, or one for each.
        unbiased: Those of ``qkv`` that have no bias.
        biases: The biases of queries and values, where they lie beside the one projection ``qkv``;
            keys then have none.
        proj: The projection after attention.
        scales: The factors of the two branches.
        fc1: The MLP's first layer, or that of the gate and that of the values.
        fc2: Its second layer.
        norm: The norm after the last block.
    """

    tokens: tuple[str, ...]
    prefix: str = ""
    patch_embed: str = "patch_embed.proj"
    position: str | None = "pos_embed"
    positioned: int = 1
    position_is_table: bool = False
    blocks: str = "blocks"
    qkv: tuple[str, ...] = ("attn.qkv",)
    unbiased: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    proj: str = "attn.proj"
    scales: tuple[str, str] = ("ls1.gamma", "ls2.gamma")
    fc1: tuple[str, ...] = ("mlp.fc1",)
    fc2: str = "mlp.fc2"
    norm: str = "norm"


def vit_weights(take: Take, shape: EncoderConfig, names: VitNames) -> dict[str, Tensor]:
    """Take the tensors of an encoder, with positions added to its special tokens."""
    prefix, width, side = names.prefix, shape.width, shape.patch_size
    patch_embed, norm = f"{prefix}{names.patch_embed}", f"{prefix}{names.norm}"
    return {
        **_tokens(take, shape, names),
        **affine(take, "encoder.patch_embed", patch_embed, width, 3, side, side),
        **block_weights(take, shape, names, f"{prefix}{names.blocks}", "encoder.blocks"),
        **affine(take, "encoder.norm", norm, width),
    }


def block_weights(
    take: Take, shape: EncoderConfig, names: VitNames, theirs: str, ours: str
) -> dict[str, Tensor]:
    """Take the tensors of a list of blocks, ``shape.depth`` of them."""
    weights: dict[str, Tensor] = {}
    for index in range(shape.depth):
        weights |= _block(take, shape, names, f"{theirs}.{index}", f"{ours}.{index}")
    return weights


def _block(
    take: Take, shape: EncoderConfig, names: VitNames, theirs: str, ours: str
) -> dict[str, Tensor]:
    width, hidden = shape.width, shape.mlp_width
    fc1 = [f"{theirs}.{name}" for name in names.fc1]
    weights = {
        **affine(take, f"{ours}.norm1", f"{theirs}.norm1", width),
        **_qkv(take, names, f"{ours}.qkv", theirs, width),
        **affine(take, f"{ours}.proj", f"{theirs}.{names.proj}", width, width),
        **affine(take, f"{ours}.norm2", f"{theirs}.norm2", width),
        **_stacked(take, f"{ours}.fc1", fc1, (1 + shape.gated_mlp) * hidden, width),
        **affine(take, f"{ours}.fc2", f"{theirs}.{names.fc2}", width, hidden),
    }
    if shape.layer_scale:
        for number, scale in enumerate(names.scales, 1):
            weights[f"{ours}.scale{number}.gamma"] = take(f"{theirs}.{scale}", width)
    return weights


def _qkv(take: Take, names: VitNames, ours: str, theirs: str, width: int) -> dict[str, Tensor]:
    """Take the projection to queries, keys and values of the block ``theirs``."""
    qkv = [f"{theirs}.{name}" for name in names.qkv]
    if not names.biases:
        unbiased = [f"{theirs}.{name}" for name in names.unbiased]
        return _stacked(take, ours, qkv, 3 * width, width, unbiased)
    of_queries, of_values = (take(f"{theirs}.{name}", width) for name in names.biases)
    return {
        f"{ours}.weight": take(f"{qkv[0]}.weight", 3 * width, width),
        f"{ours}.bias": torch.cat([of_queries, torch.zeros_like(of_queries), of_values]),
    }


def _stacked(
    take: Take,
    ours: str,
    theirs: list[str],
    rows: int,
    columns: int,
    unbiased: list[str] | None = None,
) -> dict[str, Tensor]:
    """Take layers that are one here, one under the other; one without a bias gets zeros."""
    each = rows // len(theirs)
    weights = [take(f"{name}.weight", each, columns) for name in theirs]
    biases = [
        weight.new_zeros(each) if name in (unbiased or ()) else take(f"{name}.bias", each)
        for name, weight in zip(theirs, weights, strict=True)
    ]
    return {f"{ours}.weight": torch.cat(weights), f"{ours}.bias": torch.cat(biases)}


def _tokens(take: Take, shape: EncoderConfig, names: VitNames) -> dict[str, Tensor]:
    """Take special tokens ``(E, C)`` and the patches' positions ``(N, C)``."""
    last = shape.special_tokens - len(names.tokens) + 1  # registers are several in one tensor
    counts = [1] * (len(names.tokens) - 1) + [last]
    tokens = [
        take(f"{names.prefix}{name}", 1, count, shape.width)[0]
        for name, count in zip(names.tokens, counts, strict=True)
    ]
    special = torch.cat(tokens)
    patches = shape.grid[0] * shape.grid[1]
    if names.position is None:
        return {"encoder.special": special, "encoder.position": _no_positions(patches, special)}
    front = names.positioned
    lead = () if names.position_is_table else (1,)
    position = take(f"{names.prefix}{names.position}", *lead, front + patches, shape.width)
    position = position.flatten(0, -2)
    placed = torch.cat([special[:front] + position[:front], special[front:]])
    return {"encoder.special": placed, "encoder.position": position[front:]}


def _no_positions(patches: int, like: Tensor) -> Tensor:
    return like.new_zeros(1, like.shape[1]).expand(patches, -1)


def measured(tensors: Mapping[str, Tensor], names: VitNames) -> dict[str, Any]:
    """Return what tensors say of a ViT's shape, by fields of `EncoderConfig`.

    A field that a missing tensor would tell is left out; how many heads there are, none tells.
    """
    prefix, first = names.prefix, f"{names.prefix}{names.blocks}.0"
    counts = [length(tensors, f"{prefix}{name}", -2) for name in names.tokens]
    hidden = length(tensors, f"{first}.{names.fc2}.weight", -1)
    rows = length(tensors, f"{first}.{names.fc1[0]}.weight", 0)
    facts = {
        "width": length(tensors, f"{prefix}{names.tokens[0]}", -1),
        "depth": listed(tensors, f"{prefix}{names.blocks}") or None,
        "patch_size": length(tensors, f"{prefix}{names.patch_embed}.weight", -1),
        "special_tokens": None if None in counts else sum(filter(None, counts)),
        "gated_mlp": hidden and rows and rows * len(names.fc1) == 2 * hidden,
        "mlp_width": hidden,
        "layer_scale": f"{first}.{names.scales[0]}" in tensors,
    }
    return {field: fact for field, fact in facts.items() if fact is not None}


def length(tensors: Mapping[str, Tensor], name: str, axis: int) -> int | None:
    """Return how long a tensor is along an axis; None where it is missing or has no such axis."""
    shape = tensors[name].shape if name in tensors else ()
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def square_side(
    place: object, tensors: Mapping[str, Tensor], name: str, special_tokens: int, cure: str
) -> int:
    """Return how many patches one side of a square grid has, by its position embeddings.

    Args:
        place: The file, which errors name.
        tensors: Its tensors by name.
        name: That of the positions, ``(1, special_tokens + patches, C)``.
        special_tokens: How many of them come before the patches.
        cure: What to do where they are another's.

    Raises:
        ModelError: No square grid has so many.
    """
    positions = length(tensors, name, -2) or special_tokens + 1
    side = isqrt(max(positions - special_tokens, 0))
    if side < 1 or side * side != positions - special_tokens:
        before = f"{special_tokens} and " if special_tokens else ""
        raise ModelError(
            f"{place}: {name}: expected {before}a square number of positions, got {positions}", cure
        )
    return side


def listed(tensors: Mapping[str, Tensor], name: str) -> int:
    """Return of how many members of a list of modules there are tensors."""
    numbers = (re.match(rf"{re.escape(name)}\.(\d+)\.", each) for each in tensors)
    return len({number[1] for number in numbers if number})


def named_backbone(place: object, facts: Mapping[str, Any]) -> tuple[str, EncoderConfig]:
    """Return the backbone of a shape, and the shape at an input of one patch.

    Args:
        place: Where the shape was found.
        facts: Fields of `EncoderConfig`.

    Raises:
        ModelError: No family has one; names the nearest, and in what that is different.
    """
    families = [family for family in ENCODERS.values() if issubclass(family, NamedVits)]
    shapes = {name: shape for family in families for name, shape in family.shapes.items()}
    differing = {
        name: [field for field, fact in facts.items() if getattr(shape, field) != fact]
        for name, shape in shapes.items()
    }
    near = sorted(differing, key=lambda name: len(differing[name]))[:_NEAREST]
    nearest = near[0]
    if not differing[nearest]:
        return nearest, shapes[nearest]
    got = {field: facts[field] for field in differing[nearest]}
    expected = {field: getattr(shapes[nearest], field) for field in differing[nearest]}
    raise ModelError(
        f"{place}: expected the shape of a backbone that is known, got {_words(got)}, where the "
        f"nearest, {nearest}, has {_words(expected)}",
        f"take one of a published size; near are {', '.join(near)}",
    )


def _words(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{field} {fact}" for field, fact in facts.items())
