"""Read and write tensors as safetensors, where that package is installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.models.weights.foreign import foreign_file
from mpm_deploy.support.refusal import refusal_in


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file's tensors by name.

    Raises:
        ModelError: A damaged or foreign file.
        HostError: This machine is short of memory, or refuses to read.
        MissingPackageError: safetensors is not installed.
    """
    load = _safetensors().load_file
    try:
        tensors: dict[str, Tensor] = load(path)
    except Exception as error:  # safetensors raises a class of its own that it does not export
        raise (refusal_in(error) or foreign_file(path, "a safetensors file")) from error
    return tensors


def saved_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the content of a file that holds tensors by name.

    Raises:
        MissingPackageError: safetensors is not installed.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content: bytes = _safetensors().save(whole)
    return content


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingPackageError(
            "reading weights needs safetensors", "pip install 'mpm-deploy[build]'"
        ) from error
    return safetensors.torch
