"""Find for each packed row the most similar other row of its image (Algorithm 1, lines 1 to 3)."""

import torch
from torch import Tensor

from mpm_deploy.ops.inner_products import inner_products


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Find for each row the most cosine-similar *other* image row of the same image.

    Similarities are float32 whatever the dtype of ``tokens``: in bfloat16 those near 1 collapse
    into ties and other pairs come out. Equal similarities go to the lowest row, and so do those
    with equal rows, which some processors round by where they stand.

    Their order is the true one as far as a float32 sum tells: with 64 channels cosines that are
    3e-7 apart fall either way, with 1024 those that are 1e-6 apart.

    Args:
        tokens: ``(T, C)``, any floating dtype.
        offsets: Where each image begins, ``(B + 1,)`` int32.
        max_length: An upper bound of the rows an image has.
        special_tokens: That many first rows of each image match nothing and are matched by
            nothing.

    Returns:
        ``(T,)`` int64, rows of ``tokens``. A row that has no match (a special one, or an image's
        only one) is its own answer.
    """
    images = offsets.shape[0] - 1
    if images == 1:
        return _nearest_in_image(tokens, special_tokens)

    bounds: list[int] = offsets.long().tolist()
    nearest = [
        _nearest_in_image(tokens[bounds[image] : bounds[image + 1]], special_tokens) + bounds[image]
        for image in range(images)
    ]
    if len(nearest) == 0:
        return torch.empty(0, dtype=torch.int64, device=tokens.device)
    return torch.cat(nearest)


def _nearest_in_image(tokens: Tensor, special_tokens: int) -> Tensor:
    """Find the nearest neighbors within one image: ``(n, C)`` -> ``(n,)`` int64."""
    rows = torch.arange(tokens.shape[0], device=tokens.device)
    image_rows = tokens[special_tokens:]
    if image_rows.shape[0] == 0:
        return rows
    unit = torch.nn.functional.normalize(image_rows.float(), dim=-1)  # zero rows stay zero
    similarity = inner_products(unit, unit)  # (n - special, n - special)
    similarity.diagonal().fill_(-float("inf"))
    nearest = similarity.max(dim=1)[1]  # the lowest of equals; a lone row finds itself
    nearest = _lowest_equal(unit, nearest)
    return torch.cat([rows[:special_tokens], nearest + special_tokens])


def _lowest_equal(rows: Tensor, found: Tensor) -> Tensor:
    """Replace the row found for each by the lowest *other* one that equals it.

    Rows are told apart by a hash of 64 bits, of their channels in whole 2⁻³⁰.

    Args:
        rows: ``(n, C)`` float32, of length 1.
        found: ``(n,)`` int64.

    Returns:
        ``(n,)`` int64.
    """
    device = rows.device
    row = torch.arange(rows.shape[0], device=device)
    factor = torch.full([rows.shape[1]], 6364136223846793005, dtype=torch.int64, device=device)
    hashes = ((rows * 2.0**30).long() * factor.cumprod(0)).sum(dim=1)  # (n,), modulo 2⁶⁴
    ascending, order = torch.sort(hashes, stable=True)
    begin = torch.searchsorted(ascending, hashes[found])  # (n,), in the order of hashes
    lowest, second = order[begin], order[(begin + 1).clamp(max=row.shape[0] - 1)]
    return torch.where(lowest == row, second, lowest)
