"""Say what a file is that was taken for weights, and is something else."""

import re
import struct
import tarfile
import zipfile
from pathlib import Path

from mpm_deploy.errors import ModelError

_ARCHIVE = ("an archive", "unpack it, and name the checkpoint in it")
_COMPILED = (
    "a compiled model",
    "name the weights that it was made of; `mpm-deploy inspect` shows those of an artifact",
)
_BEGINNINGS = (
    (rb"version https://git-lfs", "a pointer of Git LFS", "`git lfs pull` brings the file itself"),
    (rb"\s*<", "a web page", "download the file itself, and not the page about it"),
    (rb"\s*\{", "JSON", "name the weights, or the folder that they or their shards lie in"),
    (rb".{8}\{", "safetensors", "call it NAME.safetensors, with NAME.toml beside it"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!", *_ARCHIVE),
)
_DAMAGED = ("other bytes, or a part of one", "copy the file anew")


def foreign_file(path: Path, expected: str) -> ModelError:
    """Return the error that says what a file is instead of what was expected.

    Args:
        path: A file that can be opened.
        expected: What it should have been.
    """
    got, cure = _kind_of(path)
    if got in expected:  # by how it begins
        got, cure = _DAMAGED
    return ModelError(f"{path}: expected {expected}, got {got}", cure)


def _kind_of(path: Path) -> tuple[str, str]:
    """Return what a file is, and what to do about it."""
    with path.open("rb") as file:
        beginning = file.read(64)
    for pattern, got, cure in _BEGINNINGS:
        if re.match(pattern, beginning, re.DOTALL):
            return got, cure
    if tarfile.is_tarfile(path):  # before ZIP, which a file is too that only ends as one
        return _ARCHIVE
    return _kind_of_zip(path)


def _kind_of_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(name).name for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error):
        return _DAMAGED
    if not names.isdisjoint(("constants.pkl", "archive_format")):  # TorchScript and AOTInductor
        return _COMPILED
    return _DAMAGED if "data.pkl" in names else _ARCHIVE
