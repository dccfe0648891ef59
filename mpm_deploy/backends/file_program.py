"""Define what the programs of all files have in common: what is loaded, until they are closed."""

from pathlib import Path
from typing import Generic, TypeVar

import torch

from mpm_deploy.artifact import Manifest
from mpm_deploy.backends.base import Program
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.errors import InputError

_T = TypeVar("_T")


class FileProgram(Program, Generic[_T]):
    """A program that a file holds.

    Args:
        path: The artifact.
        manifest: Its manifest.
        device: Where it runs.
        opened: What is loaded of it.
    """

    def __init__(
        self, path: Path, manifest: Manifest, device: torch.device, opened: OpenedOnce[_T]
    ) -> None:
        super().__init__(manifest, device)
        self._path = path
        self._opened: OpenedOnce[_T] | None = opened

    def close(self) -> None:
        super().close()
        self._opened = None  # what has no user leaves memory

    def _open(self) -> OpenedOnce[_T]:
        """Return what is loaded.

        Raises:
            InputError: This program is closed.
        """
        if self._opened is None:
            raise InputError(f"{self._path}: this program is closed", "open a new one")
        return self._opened
