"""Files that are no weights: each is told for what it is, with what to do about it."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mpm_deploy.models.weights.foreign import foreign_file


@pytest.mark.parametrize(
    ("content", "got", "cure"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS", "git lfs pull"),
        (b"<!DOCTYPE html>", "a web page", "download the file itself"),
        (b'{"weight_map": {}}', "JSON", "shards"),
        (b"\x1f\x8b\x08\x00", "an archive", "unpack it"),
        (b"", "other bytes, or a part of one", "copy the file anew"),
        (b"\x89HDF\r\n\x1a\n", "other bytes, or a part of one", "copy the file anew"),
    ],
)
def test_files_are_known_by_how_they_begin(
    tmp_path: Path, content: bytes, got: str, cure: str
) -> None:
    path = tmp_path / "it.pth"
    path.write_bytes(content)
    assert_says(path, got, cure)


def test_a_damaged_archive_is_told_as_one(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pth"
    torch.save({}, checkpoint)
    whole = checkpoint.read_bytes()
    for place in range(len(whole) - 100, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        checkpoint.write_bytes(damaged)
        assert_says(checkpoint, "other bytes, or a part of one", "copy the file anew")


def test_archives_are_to_be_unpacked(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pth"
    torch.save({}, checkpoint)
    with tarfile.open(tmp_path / "it.tar", "w") as tar:
        tar.add(checkpoint, "checkpoint.pth")
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        archive.write(checkpoint, "checkpoint.pth")
    np.savez(tmp_path / "it.npz", weights=np.zeros(3))
    for name in ("it.tar", "it.zip", "it.npz"):
        assert_says(tmp_path / name, "an archive", "unpack it")


def test_a_safetensors_file_is_to_be_called_so(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1)}, tmp_path / "it.pth")
    assert_says(tmp_path / "it.pth", "safetensors", "call it NAME.safetensors")


def test_a_compiled_model_has_its_weights_elsewhere(artifact: Path) -> None:
    assert_says(artifact, "a compiled model", "mpm-deploy inspect")


def assert_says(path: Path, got: str, cure: str) -> None:
    error = foreign_file(path, "a checkpoint of torch")
    assert error.problem.startswith(f"{path}: expected a checkpoint of torch, got ")
    assert error.problem.endswith(got)
    assert cure in (error.hint or "")
