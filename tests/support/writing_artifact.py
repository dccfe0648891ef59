"""An artifact that does something as soon as it is loaded: it writes a file."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from mpm_deploy.artifact.archive import write_artifact
from tests.support.toy import HEIGHT, MANIFEST, WIDTH


class _WritesWhenLoaded(nn.Module):
    def __init__(self, target: Path) -> None:
        super().__init__()
        self.target = str(target)
        self.written = torch.empty(0)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.target, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.target, self.training = state
        self.written = torch.from_file(self.target, True, 4)

    def forward(self, images: Tensor) -> Tensor:
        return images


def write_writing_artifact(path: Path, target: Path) -> None:
    """Write a ``.pt`` that makes the file ``target`` when it is loaded."""
    payload = path.with_suffix(".payload")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*torch\.jit\.\w+` is ")  # deprecated
        torch.jit.script(_WritesWhenLoaded(target).eval()).save(str(payload))
    image = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    write_artifact(payload, path, MANIFEST, image, torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8))
    payload.unlink()
