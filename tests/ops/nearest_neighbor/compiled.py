"""The search as a compiled model has it, by the kernel that its file holds."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from mpm_deploy.ops import nearest_neighbor as chosen
from tests.support.compiled import compiled_with_kernels, export, targets
from tests.support.packed import offsets_of

_SPECIAL_TOKENS = range(6)


class _Searches(nn.Module):
    """Through what a model gets, for each number of special tokens: ``(6, T)``."""

    def forward(self, tokens: Tensor, offsets: Tensor) -> Tensor:
        given = tokens, offsets, tokens.shape[0]
        return torch.stack([chosen.nearest_neighbor(*given, count) for count in _SPECIAL_TOKENS])


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """`mpm_deploy.ops.nearest_neighbor.pairwise.nearest_neighbor`, compiled."""
    if tokens.shape[0] == 0:  # which no model has
        return torch.empty(0, dtype=torch.int64)
    found: Tensor = _compiled()(tokens.float(), offsets)[special_tokens]
    return found


@functools.cache
def _compiled() -> Callable[..., Any]:
    rows, channels, ends = (torch.export.Dim(n, min=1, max=9999) for n in ("rows", "width", "ends"))
    given = torch.zeros(9, 4), offsets_of([4, 5])
    shapes = ({0: rows, 1: channels}, {0: ends})
    exported = export(_Searches(), given, shapes)
    assert "mpm.most_similar.default" in targets(exported)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Inductor's own
        return compiled_with_kernels(exported, Path(folder))
