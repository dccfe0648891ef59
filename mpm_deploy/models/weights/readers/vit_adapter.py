"""Translate ViT-Adapter, by the names that its authors give what they add to a plain ViT.

spm.{stem, conv2, conv3, conv4, fc1, fc2, fc3, fc4}, level_embed     the spatial prior
interactions.g.{injector, extractor, extra_extractors}               one for each group of blocks
up, norm1, norm2, norm3, norm4                                       what the maps pass last
"""

from collections.abc import Mapping

from torch import Tensor

from mpm_deploy.models.encoders.adapted_vit import EXTRA_EXTRACTORS, GROUPS
from mpm_deploy.models.encoders.adapter import FFN_RATIO, LEVELS, VALUE_RATIO
from mpm_deploy.models.encoders.eva import EvaAdapter
from mpm_deploy.models.weights.readers.deformable import deformable_weights
from mpm_deploy.models.weights.readers.translation import Take, affine
from mpm_deploy.models.weights.readers.vits import length


def measured_adapter(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, int]:
    """Return the options of `EvaAdapter` that the tensors of an adapter tell.

    What a missing tensor would tell is left out. Heads are told by their points, of which each has
    as many as the option's default.

    Args:
        tensors: Those of the file.
        prefix: What is in front of the adapter's names.
    """
    offsets = f"{prefix}interactions.0.extractor.attn.sampling_offsets.weight"
    points = (length(tensors, offsets, 0) or 0) // 2
    facts = {
        "adapter_heads": points // EvaAdapter.adapter_points,
        "stem_width": length(tensors, f"{prefix}spm.stem.0.weight", 0),
    }
    return {option: fact for option, fact in facts.items() if fact}


def adapter_weights(take: Take, shape: EvaAdapter, prefix: str) -> dict[str, Tensor]:
    """Take the tensors of an adapter, whose names in the file begin with ``prefix``."""
    width = shape.width
    weights = {
        "encoder.level_embed": take(f"{prefix}level_embed", LEVELS, width),
        **_spatial_prior(take, shape, f"{prefix}spm", "encoder.prior"),
        # Of a transposed convolution: (in, out, down, across); as many in as out.
        **affine(take, "encoder.up", f"{prefix}up", width, width, 2, 2),
    }
    for group in range(GROUPS):
        name = f"interactions.{group}"
        weights |= _interaction(take, shape, f"{prefix}{name}", f"encoder.{name}")
    extra = f"interactions.{GROUPS - 1}.extra_extractors"
    for index in range(EXTRA_EXTRACTORS):
        name = f"{extra}.{index}"
        weights |= _extractor(take, shape, f"{prefix}{name}", f"encoder.{name}")
    for number in (1, 2, 3, 4):
        weights |= _batch_norm(take, f"{prefix}norm{number}", f"encoder.norm{number}", width)
    return weights


def _spatial_prior(take: Take, shape: EvaAdapter, theirs: str, ours: str) -> dict[str, Tensor]:
    stem, width = shape.stem_width, shape.width
    convolutions = {  # by name: channels out and in
        ("stem", 0): (stem, 3),
        ("stem", 3): (stem, stem),
        ("stem", 6): (stem, stem),
        ("conv2", 0): (2 * stem, stem),
        ("conv3", 0): (4 * stem, 2 * stem),
        ("conv4", 0): (4 * stem, 4 * stem),
    }
    weights: dict[str, Tensor] = {}
    for (part, index), (rows, columns) in convolutions.items():
        kernel, norm = f"{part}.{index}.weight", f"{part}.{index + 1}"
        weights[f"{ours}.{kernel}"] = take(f"{theirs}.{kernel}", rows, columns, 3, 3)
        weights |= _batch_norm(take, f"{theirs}.{norm}", f"{ours}.{norm}", rows)
    for number, channels in enumerate((stem, 2 * stem, 4 * stem, 4 * stem), 1):
        layer = f"fc{number}"
        weights |= affine(take, f"{ours}.{layer}", f"{theirs}.{layer}", width, channels, 1, 1)
    return weights


def _batch_norm(take: Take, theirs: str, ours: str, width: int) -> dict[str, Tensor]:
    statistics = ("running_mean", "running_var")
    return affine(take, ours, theirs, width) | {
        f"{ours}.{name}": take(f"{theirs}.{name}", width) for name in statistics
    }


def _interaction(take: Take, shape: EvaAdapter, theirs: str, ours: str) -> dict[str, Tensor]:
    return {
        **_reading(take, shape, f"{theirs}.injector", f"{ours}.injector", LEVELS),
        f"{ours}.injector.gamma": take(f"{theirs}.injector.gamma", shape.width),
        **_extractor(take, shape, f"{theirs}.extractor", f"{ours}.extractor"),
    }


def _extractor(take: Take, shape: EvaAdapter, theirs: str, ours: str) -> dict[str, Tensor]:
    width, hidden = shape.width, int(shape.width * FFN_RATIO)
    dwconv = affine(take, f"{ours}.ffn.dwconv", f"{theirs}.ffn.dwconv.dwconv", hidden, 1, 3, 3)
    return {
        **_reading(take, shape, theirs, ours, levels=1),
        **affine(take, f"{ours}.ffn_norm", f"{theirs}.ffn_norm", width),
        **affine(take, f"{ours}.ffn.fc1", f"{theirs}.ffn.fc1", hidden, width),
        **dwconv,
        **affine(take, f"{ours}.ffn.fc2", f"{theirs}.ffn.fc2", width, hidden),
    }


def _reading(
    take: Take, shape: EvaAdapter, theirs: str, ours: str, levels: int
) -> dict[str, Tensor]:
    """Take two norms, and the deformable attention by which one reads the other."""
    width, points = shape.width, shape.adapter_heads * levels * shape.adapter_points
    names, value_width = (f"{ours}.attn", f"{theirs}.attn"), int(width * VALUE_RATIO)
    return {
        **affine(take, f"{ours}.query_norm", f"{theirs}.query_norm", width),
        **affine(take, f"{ours}.feat_norm", f"{theirs}.feat_norm", width),
        **deformable_weights(take, *names, width, value_width, points),
    }
