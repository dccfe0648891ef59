"""Say which GPU is meant, and make one the current one."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def with_index(device: torch.device) -> torch.device:
    """Say which GPU ``"cuda"`` is by now: by the next call, and on other threads, it is another."""
    is_named = str(device) != "cuda"
    return device if is_named else torch.device("cuda", torch.cuda.current_device())


def on(device: torch.device) -> AbstractContextManager[Any]:
    """Make a GPU the current one for a block, for what asks for that and not for a device.

    What the block makes the current one instead is forgotten at its end.
    """
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
