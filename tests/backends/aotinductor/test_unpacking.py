"""A file that cannot be unpacked: the temporary folder is at fault, and no rebuild helps."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch

from mpm_deploy.backends.aotinductor import AotInductor, backend
from mpm_deploy.errors import ArtifactError, HostError
from tests.support import toy


def load(path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise error

    path.write_bytes(b"an artifact")
    monkeypatch.setattr(backend, "open_entries", refuse)
    AotInductor().load(path, toy.MANIFEST, torch.device("cpu"))


def test_a_full_temporary_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(HostError, match=r"it\.pt2: cannot be unpacked: .* 0 MiB free") as caught:
        load(tmp_path / "it.pt2", full, monkeypatch)
    assert "TMPDIR=" in (caught.value.hint or "")


def test_missing_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HostError, match="cannot be loaded: this machine is short of memory"):
        load(tmp_path / "it.pt2", RuntimeError("failed to map segment from it"), monkeypatch)


def test_another_fault_is_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtifactError, match="cannot load it: undefined symbol") as caught:
        load(tmp_path / "it.pt2", RuntimeError("undefined symbol: it"), monkeypatch)
    assert "rebuild it" in (caught.value.hint or "")
