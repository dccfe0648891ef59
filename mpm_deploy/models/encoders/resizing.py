"""Fit weights to inputs of another size, and to patches of another size.

The positions of a grid of patches are a picture with C channels, which is resized as those do who
made the weights:

bilinear               Segmenter
bicubic_antialiased    timm, and DINOv2 with registers; EVA-01, whose authors resize none
bicubic_offset         DINOv2 without registers: not antialiased, and as if the new grid were larger
                       by a tenth of a patch, which its authors added against rounding
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.errors import ModelError

PositionResize = Literal["bilinear", "bicubic_antialiased", "bicubic_offset"]

_OFFSET = 0.1  # patches, DINOv2's `interpolate_offset`


def fitted(
    weights: Mapping[str, Tensor],
    image_size: tuple[int, int] | None,
    grid: tuple[int, int],
    patch_size: int,
    how: PositionResize,
) -> dict[str, Tensor]:
    """Return an encoder's weights, with positions and patches of the sizes that are wanted.

    Args:
        weights: ``patch_embed.weight (C, 3, P, Q)``, ``position (N, C)`` and more.
        image_size: Input ``(height, width)`` in pixels that they were made for; None where nobody
            knows.
        grid: The grid of patches that is wanted, ``(down, across)``.
        patch_size: The side of a patch that is wanted, in pixels.
        how: The way that positions are resized.

    Raises:
        ModelError: Positions of which nobody knows the grid.
    """
    patches, position = weights["patch_embed.weight"], weights["position"]
    source = source_grid(position.shape[0], image_size, patches.shape[-1], grid)
    return {
        **weights,
        "patch_embed.weight": resample_patches(patches, patch_size),
        "position": resize_position(position, source, grid, how),
    }


def source_grid(
    patches: int, image_size: tuple[int, int] | None, patch_size: int, grid: tuple[int, int]
) -> tuple[int, int]:
    """Return the grid, ``(down, across)``, that weights with so many positions were made for.

    Args:
        patches: Number of their positions.
        image_size: Input ``(height, width)`` in pixels that they were made for; None where nobody
            knows, and then a grid as wanted is likelier than a square one.
        patch_size: Side of their patches in pixels.
        grid: The grid that is wanted.

    Raises:
        ModelError: No grid has so many patches.
    """
    side = math.isqrt(patches)
    likely = [grid, (side, side)]
    if image_size is not None:
        height, width = image_size  # padded to whole patches, where they are none
        likely.insert(0, (-(-height // patch_size), -(-width // patch_size)))
    for down, across in likely:
        if down * across == patches:
            return down, across
    raise ModelError(
        f"position embeddings: expected those of a grid that is known or square, got {patches}",
        "say image_size, [height, width] that the weights were trained for, in their TOML",
    )


def resize_position(
    position: Tensor, source: tuple[int, int], grid: tuple[int, int], how: PositionResize
) -> Tensor:
    """Resize the positions of one grid of patches to another.

    Args:
        position: ``(N, C)``, row by row.
        source: Their grid, ``(down, across)``.
        grid: The grid that is wanted.
        how: One of the ways that this module's head names.

    Returns:
        ``(down * across, C)``; those of the same grid as they are.
    """
    if source == grid:
        return position
    options: dict[str, Any] = {"mode": how.partition("_")[0], "align_corners": False}
    if how == "bicubic_offset":
        sides = zip(grid, source, strict=True)
        options["scale_factor"] = [(new + _OFFSET) / old for new, old in sides]
    else:
        options |= {"size": grid, "antialias": how == "bicubic_antialiased"}
    picture = position.T.reshape(1, -1, *source)
    resized = functional.interpolate(picture, **options)  # (1, C, down, across)
    return resized.flatten(2)[0].T.contiguous()


def resample_patches(weight: Tensor, patch_size: int) -> Tensor:
    """Resample the projection of patches to patches of another size.

    The result makes of a resized patch what the weights made of the patch, as nearly as can be: if
    ``B`` resizes, then ``<w, x> = <w', B x>`` for each ``x`` where ``w = Bᵀ w'``, which the
    pseudoinverse solves (Beyer et al., "FlexiViT", CVPR 2023, section 3.4).

    Args:
        weight: ``(C, 3, P, Q)``.
        patch_size: The side that is wanted, in pixels.

    Returns:
        ``(C, 3, patch_size, patch_size)``; that of the same size as it is.
    """
    size, wanted = weight.shape[2:], (patch_size, patch_size)
    if size == wanted:
        return weight
    single = torch.eye(size.numel(), dtype=torch.float64).view(-1, 1, *size)  # each pixel alone
    resized = functional.interpolate(single, wanted, mode="bicubic", antialias=True)
    inverse = torch.linalg.pinv(resized.flatten(1))  # (patch_size², P Q)
    return (weight.double().flatten(2) @ inverse.T).unflatten(2, wanted).to(weight.dtype)
