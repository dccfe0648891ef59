"""TorchScript for tests, without its notice of deprecation."""

import warnings
from collections.abc import Callable
from typing import Any

import torch


def script(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as TorchScript runs it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*deprecated")
        return torch.jit.script(function)
