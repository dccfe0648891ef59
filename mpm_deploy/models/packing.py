"""Keep account of the rows of packed batches, without a loop over images and without a sync.

offsets = [0, 4, 7]        rows  s a b c | s d e        s: special, a..e: image tokens
replace_special(front=xy)  rows  x y a b c | x y d e    offsets = [0, 5, 9]
"""

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

from mpm_deploy.models.reductions.base import Packed, images_of, patch_counts


def equal_offsets(images: int, length: int, device: torch.device) -> Tensor:
    """Return offsets ``(B + 1,)`` int32 of ``images`` images that have ``length`` rows each."""
    return torch.arange(images + 1, device=device, dtype=torch.int32) * length


def patch_rows(images: int, patches: int, special_tokens: int, device: torch.device) -> Tensor:
    """Return the packed row of each patch before any merge, ``(B, N)`` int64."""
    first = torch.arange(images, device=device)[:, None] * (special_tokens + patches)
    return first + special_tokens + torch.arange(patches, device=device)


def first_rows(offsets: Tensor, count: int) -> Tensor:
    """Return the packed rows of the first ``count`` tokens of each image, ``(B, count)`` int64."""
    return offsets[:-1, None].long() + torch.arange(count, device=offsets.device)


def image_local(rows: Tensor, offsets: Tensor, special_tokens: int) -> Tensor:
    """Turn packed rows ``(B, N)`` into numbers within each image, counted from its first patch."""
    return rows - offsets[:-1, None].long() - special_tokens


def put_in_front(packed: Packed, front: Tensor, replaced: int = 0) -> Packed:
    """Put the same special tokens ``(F, C)`` in front of each image's rows.

    Args:
        packed: The rows.
        front: The special tokens.
        replaced: Special tokens of each image that they stand in place of, the first ones.
    """
    images, added = packed.rows.shape[0], front.shape[0] - replaced
    tokens, offsets = replace_special(packed.tokens, packed.offsets, replaced, front)
    shift = added * torch.arange(1, images + 1, device=front.device)[:, None]
    return Packed(
        tokens,
        offsets,
        packed.max_length + added,
        packed.rows + shift,
        packed.special_tokens + added,
    )


def unmerged(packed: Packed) -> Packed:
    """Give every patch a row of its own again, with the values of the token that it went to.

    This is equation 4 of the paper; special tokens stay in front.
    """
    images, patches = packed.rows.shape[0], packed.rows.shape[1]
    special = packed.special_tokens
    device = packed.rows.device
    sources = torch.cat([first_rows(packed.offsets, special), packed.rows], dim=1).flatten()
    return Packed(
        packed.tokens[sources],
        equal_offsets(images, special + patches, device),
        special + patches,
        patch_rows(images, patches, special, device),
        special,
    )


def mean_of_patches(packed: Packed, values: Tensor) -> Tensor:
    """Give every row the mean of its patches' values, and zeros to special tokens.

    Args:
        packed: The rows.
        values: One a patch, ``(B, N, D)``.

    Returns:
        ``(T, D)``, in the type of ``values``.
    """
    counts = patch_counts(packed)  # (T,), float32 at least
    flat = values.flatten(0, 1).to(counts.dtype)
    sums = flat.new_zeros(counts.shape[0], flat.shape[1]).index_add(0, packed.rows.flatten(), flat)
    return (sums / counts[:, None]).to(values.dtype)


def replace_special(
    tokens: Tensor, offsets: Tensor, special_tokens: int, front: Tensor
) -> tuple[Tensor, Tensor]:
    """Put ``front`` where each image had its special tokens.

    Args:
        tokens: ``(T, C)``.
        offsets: ``(B + 1,)`` int32.
        special_tokens: Rows to leave out at the head of each image.
        front: ``(F, C)``, the rows to put there; ``F`` may be 0.

    Returns:
        ``(T + B * (F - special_tokens), C)`` and its offsets ``(B + 1,)`` int32.
    """
    images, added = offsets.shape[0] - 1, front.shape[0]
    if _surely_one(images):
        rows = torch.cat([front, tokens[special_tokens:]])
        return rows, equal_offsets(1, 1, offsets.device) * rows.shape[0]

    shift = equal_offsets(images, added - special_tokens, offsets.device)
    new_offsets = offsets + shift
    row = torch.arange(tokens.shape[0] + images * (added - special_tokens), device=tokens.device)
    image = images_of(row, new_offsets)
    local = row - new_offsets.long()[image]
    # Row of [front; tokens]: front's own, or past front's rows the image token that moved by shift.
    source = torch.where(local < added, local, row - shift.long()[image] + special_tokens)
    return torch.cat([front, tokens])[source], new_offsets


def _surely_one(images: int) -> bool:
    """Tell whether there is one image for certain.

    A model that is exported for batches of any size must not assume it.
    """
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return statically_known_true(images == 1)
    return images == 1
