"""Translate Mask2Former's head by the names that MMDetection 2 gives its tensors.

    pixel_decoder.{input_convs, encoder.layers, lateral_convs, output_convs, mask_feature}
    transformer_decoder.layers, query_feat, query_embed, level_embed, cls_embed, mask_embed

A convolution is ``conv``, the GroupNorm after it ``gn``; queries, keys and values have one
projection, ``in_proj``, as in torch's own attention.
"""

from collections.abc import Mapping

from torch import Tensor

from mpm_deploy.models.heads.mask2former.head import Mask2FormerHead
from mpm_deploy.models.heads.mask2former.pixel_decoder import LEVELS, POINTS
from mpm_deploy.models.weights.readers.deformable import deformable_weights
from mpm_deploy.models.weights.readers.translation import Take, affine
from mpm_deploy.models.weights.readers.vits import length, listed


def measured_mask2former(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, int]:
    """Return the number of classes, and the options of `Mask2FormerHead`, as tensors tell them.

    What a missing tensor would tell is left out. How many heads attend to cells none tells: they
    are as many as those of deformable attention, of which a file tells no more than the product
    with their points.

    Args:
        tensors: Those of the file.
        prefix: What is in front of the head's names.
    """
    pixels, decoder = f"{prefix}pixel_decoder.encoder", f"{prefix}transformer_decoder"
    offsets = f"{pixels}.layers.0.attentions.0.sampling_offsets.weight"
    heads = (length(tensors, offsets, 0) or 0) // (2 * LEVELS * POINTS)
    hidden = "layers.0.ffns.0.layers.0.0.weight"
    facts = {
        "classes": (length(tensors, f"{prefix}cls_embed.weight", 0) or 0) - 1,
        "queries": length(tensors, f"{prefix}query_feat.weight", 0),
        "decoder_width": length(tensors, f"{prefix}query_feat.weight", 1),
        "decoder_layers": listed(tensors, f"{decoder}.layers"),
        "decoder_heads": heads,
        "decoder_mlp_width": length(tensors, f"{decoder}.{hidden}", 0),
        "pixel_decoder_layers": listed(tensors, f"{pixels}.layers"),
        "pixel_decoder_heads": heads,
        "pixel_decoder_mlp_width": length(tensors, f"{pixels}.{hidden}", 0),
    }
    return {option: fact for option, fact in facts.items() if fact and fact > 0}


def mask2former_weights(
    take: Take, head: Mask2FormerHead, channels: int, classes: int, prefix: str
) -> dict[str, Tensor]:
    """Take the tensors of a head.

    Args:
        take: As a translation is given it.
        head: The head.
        channels: Channels of the encoder's maps.
        classes: Number of classes K; "no object" is one more.
        prefix: What is in front of the head's names in the file.
    """
    width = head.decoder_width
    ours, cls_embed = "decoder.masked_decoder", f"{prefix}cls_embed"
    return {
        **_pixel_decoder(take, head, channels, f"{prefix}pixel_decoder", "decoder.pixel_decoder"),
        **_masked_decoder(take, head, prefix, ours),
        **affine(take, f"{ours}.cls_embed", cls_embed, classes + 1, width),
    }


def _pixel_decoder(
    take: Take, head: Mask2FormerHead, channels: int, theirs: str, ours: str
) -> dict[str, Tensor]:
    width = head.decoder_width
    finer, lateral, output = f"{ours}.finer.0", f"{theirs}.lateral_convs.0", "output_convs.0"
    mask_feature = f"{theirs}.mask_feature"
    weights = {
        f"{ours}.level_encoding": take(f"{theirs}.level_encoding.weight", LEVELS, width),
        f"{finer}.lateral_conv.0.weight": take(f"{lateral}.conv.weight", width, channels, 1, 1),
        **affine(take, f"{finer}.lateral_conv.1", f"{lateral}.gn", width),
        f"{finer}.output_conv.0.weight": take(f"{theirs}.{output}.conv.weight", width, width, 3, 3),
        **affine(take, f"{finer}.output_conv.1", f"{theirs}.{output}.gn", width),
        **affine(take, f"{ours}.mask_feature", mask_feature, width, width, 1, 1),
    }
    for level in range(LEVELS):
        conv = f"{theirs}.input_convs.{level}"
        weights |= affine(
            take, f"{ours}.input_convs.{level}.0", f"{conv}.conv", width, channels, 1, 1
        )
        weights |= affine(take, f"{ours}.input_convs.{level}.1", f"{conv}.gn", width)
    for layer in range(head.pixel_decoder_layers):
        names = f"{theirs}.encoder.layers.{layer}", f"{ours}.encoder.{layer}"
        weights |= _pixel_decoder_layer(take, head, *names)
    return weights


def _pixel_decoder_layer(
    take: Take, head: Mask2FormerHead, theirs: str, ours: str
) -> dict[str, Tensor]:
    width, points = head.decoder_width, head.pixel_decoder_heads * LEVELS * POINTS
    attention = f"{theirs}.attentions.0"
    return {
        **deformable_weights(take, f"{ours}.attention", attention, width, width, points),
        **affine(take, f"{ours}.norm1", f"{theirs}.norms.0", width),
        **_mlp(take, theirs, ours, width, head.pixel_decoder_mlp_width),
        **affine(take, f"{ours}.norm2", f"{theirs}.norms.1", width),
    }


def _masked_decoder(take: Take, head: Mask2FormerHead, theirs: str, ours: str) -> dict[str, Tensor]:
    width, decoder = head.decoder_width, f"{theirs}transformer_decoder"
    counts = {"query_feat": head.queries, "query_embed": head.queries}
    counts["level_embed"] = LEVELS
    weights = {
        f"{ours}.{name}": take(f"{theirs}{name}.weight", count, width)
        for name, count in counts.items()
    }
    for layer in range(head.decoder_layers):
        names = f"{decoder}.layers.{layer}", f"{ours}.layers.{layer}"
        weights |= _masked_decoder_layer(take, head, *names)
    for index in (0, 2, 4):
        name = f"mask_embed.{index}"
        weights |= affine(take, f"{ours}.{name}", f"{theirs}{name}", width, width)
    return {
        **weights,
        **affine(take, f"{ours}.post_norm", f"{decoder}.post_norm", width),
    }


def _masked_decoder_layer(
    take: Take, head: Mask2FormerHead, theirs: str, ours: str
) -> dict[str, Tensor]:
    width = head.decoder_width
    return {
        **_attention(take, f"{theirs}.attentions.0.attn", f"{ours}.cross_attention", width),
        **affine(take, f"{ours}.norm1", f"{theirs}.norms.0", width),
        **_attention(take, f"{theirs}.attentions.1.attn", f"{ours}.self_attention", width),
        **affine(take, f"{ours}.norm2", f"{theirs}.norms.1", width),
        **_mlp(take, theirs, ours, width, head.decoder_mlp_width),
        **affine(take, f"{ours}.norm3", f"{theirs}.norms.2", width),
    }


def _attention(take: Take, theirs: str, ours: str, width: int) -> dict[str, Tensor]:
    """Take an attention, with its one projection parted into three."""
    weights = affine(take, f"{ours}.out_proj", f"{theirs}.out_proj", width, width)
    rows = take(f"{theirs}.in_proj_weight", 3 * width, width).chunk(3)
    biases = take(f"{theirs}.in_proj_bias", 3 * width).chunk(3)
    for letter, weight, bias in zip("qkv", rows, biases, strict=True):
        weights |= {f"{ours}.{letter}_proj.weight": weight, f"{ours}.{letter}_proj.bias": bias}
    return weights


def _mlp(take: Take, theirs: str, ours: str, width: int, hidden: int) -> dict[str, Tensor]:
    return {
        **affine(take, f"{ours}.fc1", f"{theirs}.ffns.0.layers.0.0", hidden, width),
        **affine(take, f"{ours}.fc2", f"{theirs}.ffns.0.layers.1", width, hidden),
    }
