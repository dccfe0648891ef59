"""torch's own count of FLOPs, which ours is held against."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@contextmanager
def counted_flops() -> Iterator[FlopCounterMode]:
    """Counts what runs inside, without gradients.

    Attention is written out as products: torch 2.11 does not count a CPU's flash attention.
    """
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
        torch.inference_mode(),
    ):
        yield counter
