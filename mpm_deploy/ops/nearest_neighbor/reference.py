"""Find for each packed row the most similar other row of its image (Algorithm 1, lines 1 to 3)."""

import torch
from torch import Tensor

from mpm_deploy.ops.inner_products import inner_products


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Find for each row the most cosine-similar *other* image row of the same image.

    Similarities are float32 whatever the dtype of ``tokens``: in bfloat16 those near 1 collapse
    into ties and other pairs come out. Bit-equal similarities go to the lowest row, and so do
    those within 1e-6 of 1: a matrix product rounds equal rows by where they stand.

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
    similarity.clamp_(max=1 - 2.0**-20)  # equal rows are equally similar
    similarity.diagonal().fill_(-float("inf"))
    # argmax names the lowest of equal maxima; a lone row finds itself.
    return torch.cat([rows[:special_tokens], similarity.argmax(dim=1) + special_tokens])
