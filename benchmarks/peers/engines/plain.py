"""Replaces operations by ones that other engines' exporters can read."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.models.encoders import vit
from mpm_deploy.models.reductions import mpm
from mpm_deploy.ops.attention.reference import attention


@contextmanager
def plain_operations() -> Iterator[None]:
    """Use torch's own attention, and merge without writing into a view of unknown size.

    What this project exports for itself has operators of its own, which no other engine knows. The
    eager model's answers stay what they are, and those of a conversion are held against them.
    """
    with (
        mock.patch.object(vit, "attention", attention),
        mock.patch.object(mpm, "nearest_neighbor", _nearest_neighbor),
    ):
        yield


def _nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Compute what `mpm_deploy.ops.nearest_neighbor` does, for one image."""
    unit = functional.normalize(tokens.float(), dim=-1)
    row = torch.arange(tokens.shape[0])
    never = (row[:, None] == row[None]) | (row[None] < special_tokens)
    similarity = (unit @ unit.t()).clamp(max=1 - 2.0**-20).masked_fill(never, float("-inf"))
    return torch.where(row < special_tokens, row, similarity.argmax(dim=1))
