"""Say whether a model is exported for a file that holds this package's kernels.

Elsewhere they would be operators that nobody knows: to those who export a model for another engine
it is made of PyTorch's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_in_the_file = ContextVar("in_the_file", default=False)


@contextmanager
def exported_with_kernels() -> Iterator[None]:
    """Have models that are exported while this is open call kernels, where there are some."""
    token = _in_the_file.set(True)
    try:
        yield
    finally:
        _in_the_file.reset(token)


def calls_kernels(device: torch.device) -> bool:
    """Tell whether what is exported now calls kernels on a device; they are for CPUs."""
    return torch.compiler.is_exporting() and _in_the_file.get() and device.type == "cpu"
