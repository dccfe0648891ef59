"""Keep the segments of a model in an artifact, and take them out of one.

<root>/segments/0.onnx, 1.onnx, ...  what is computed
<root>/segments/weights              all weights, which the others name by offset and length
"""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mpm_deploy.artifact import unpack_checked
from mpm_deploy.backends.base import uncompilable
from mpm_deploy.errors import BuildError
from mpm_deploy.recipe import Recipe

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter

SEGMENTS = "segments"
_ROOT = "segmenter"
_CURE = "take AOTInductor or TorchScript, which need no ONNX: recipe cpu_fp32 or cpu_portable_fp32"


def check_can_cut(recipe: Recipe) -> None:
    """Refuse a recipe whose model cannot be cut at its merges.

    Raises:
        BuildError: It merges inside of blocks, or in front of the first one.
    """
    merge, backend = recipe.merge, recipe.backend.name
    if merge.blocks and merge.method != "mpm":
        raise BuildError(
            f"recipe {recipe.name!r} merges by {merge.method!r}: backend {backend!r} cuts a "
            "model at its merges, which it can where they happen before a block, by 'mpm'",
            "take method 'mpm', or backend 'aotinductor' or 'torchscript', which cut nothing",
        )


def compile_segments(model: "Segmenter", recipe: Recipe, folder: Path) -> None:
    """Cut a model, and write its segments into the folder ``segments`` of a folder.

    Raises:
        BuildError: ONNX has no operator for one of the model's.
        ModelError: The model cannot be cut.
    """
    from mpm_deploy.backends.segments.export import write_segments
    from mpm_deploy.backends.segments.segment import cut

    segments = cut(model)
    (folder / SEGMENTS).mkdir()
    try:
        write_segments(segments, _noise(model.image_size), folder / SEGMENTS)
    except Exception as error:  # whatever a module makes of tensors without numbers
        raise uncompilable(recipe, "torch.onnx.export", error, _CURE) from error


def segment_files(folder: Path) -> list[Path]:
    """Return the segments that lie in a folder, in order.

    Raises:
        RuntimeError: There are none, or one is missing.
    """
    count = len(list(folder.glob("*.onnx")))
    files = [folder / f"{index}.onnx" for index in range(count)]
    if not files or not all(file.exists() for file in files):
        raise RuntimeError(f"expected {SEGMENTS}/0.onnx, 1.onnx and so on, found {count} files")
    return files


def pack(folder: Path, path: Path) -> None:
    """Pack all files below a folder into one ZIP, unpacked as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                file.write(each, f"{_ROOT}/{each.relative_to(folder)}")


def unpack(path: Path, payload_sha256: str, inside: Collection[str], folder: Path) -> None:
    """Unpack some folders of an artifact; see `unpack_checked`.

    Args:
        path: The artifact.
        payload_sha256: The hash that it must have.
        inside: The folders whose files are wanted, as ``{"segments"}``.
        folder: Where they are to lie, each in a folder of the same name.

    Raises:
        ArtifactError: The file has another hash, or cannot be read.
        OSError: A file cannot be written.
    """
    for name in inside:
        (folder / name).mkdir(parents=True)

    def target_of(name: str) -> Path | None:
        return folder / name if name.rpartition("/")[0] in inside else None

    unpack_checked(path, payload_sha256, target_of)


def _noise(size: tuple[int, int]) -> Tensor:
    """Make an image to export with, ``(1, 3, H, W)`` uint8."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, 3, *size), generator=generator, dtype=torch.uint8)
