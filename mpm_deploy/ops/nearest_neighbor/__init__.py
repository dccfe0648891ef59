"""Choose the version of the search for nearest neighbors that a model gets.

CPU, eager or scripted    reference
CPU, in our files         pairwise
GPU                       triton

A model that is cut into segments, for engines of static graphs, takes `static` itself.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.nearest_neighbor import pairwise, reference
from mpm_deploy.ops.own_kernels import calls_kernels


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Find nearest neighbors like `reference.nearest_neighbor`, in the version that suits it."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _nearest_neighbor(tokens, offsets, max_length, special_tokens)
    return reference.nearest_neighbor(tokens, offsets, max_length, special_tokens)


def _nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int
) -> Tensor:
    """Choose the version where TorchScript does not look.

    A script would also read the import of Triton, which is not there on every machine.
    """
    if tokens.device.type != "cuda":
        if calls_kernels(tokens.device):
            return pairwise.nearest_neighbor(tokens, offsets, max_length, special_tokens)
        return reference.nearest_neighbor(tokens, offsets, max_length, special_tokens)
    # Triton comes with PyTorch's builds for CUDA, and only with those.
    from mpm_deploy.ops.nearest_neighbor import triton

    return triton.nearest_neighbor(tokens, offsets, max_length, special_tokens)
