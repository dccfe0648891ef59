"""Choose the version of attention over packed tokens that a model gets.

CPU, eager or scripted                reference
CPU, compiled for one of Intel's      reference, which is one fused kernel for an image
CPU, compiled for another, or any     per_head
GPU                                   flash
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from mpm_deploy.ops.attention import flash, per_head, reference

_for_intel = ContextVar("for_intel", default=False)


@contextmanager
def exported_for(*, intel: bool) -> Iterator[None]:
    """Say whether models that are exported while this is open are for CPUs of Intel alone."""
    token = _for_intel.set(intel)
    try:
        yield
    finally:
        _for_intel.reset(token)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention like `reference.attention`, in the version that suits the device.

    It uses flash kernels on a GPU. Compiled for a CPU it goes head by head, but not for Intel's,
    where the library in PyTorch's fused kernel multiplies as fast as any. Where the maker is not
    known, what is lost on Intel's is a tenth of a model's time at most, and the fused kernel would
    take two to three times as long on AMD's.
    """
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        if q.device.type == "cuda":
            return flash.attention(q, k, v, offsets, max_length, key_log_weight)
        if torch.compiler.is_exporting() and not _for_intel.get():
            return per_head.attention(q, k, v, offsets, max_length, key_log_weight)
    return reference.attention(q, k, v, offsets, max_length, key_log_weight)
