"""Weights and inputs in which every number matters, the same ones every time."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def randomized(make: Callable[[], nn.Module]) -> nn.Module:
    """What is made, for inference, with weights near those that it is made with, and none zero."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        module = make()
        for name, parameter in module.named_parameters():
            if "query" in name or "queries" in name or "level_" in name:
                parameter.normal_()  # some are made without any value
            else:
                parameter.add_(torch.randn(parameter.shape), alpha=0.1)
    return module.eval()


def random(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal float32."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
