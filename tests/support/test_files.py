"""Files appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.support.files import make_folder, written_atomically


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "it.txt"
    with written_atomically(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
        assert temporary.name == target.name
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_what_was_there(tmp_path):
    target = tmp_path / "it.txt"
    target.write_text("before")
    with pytest.raises(RuntimeError), written_atomically(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_an_input_error(tmp_path):
    with (
        pytest.raises(InputError, match="cannot write"),
        written_atomically(tmp_path / "no" / "it"),
    ):
        pass


def test_a_folder_in_the_targets_place_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"it: cannot write there: Is a directory") as caught,
        written_atomically(make(tmp_path / "it")) as temporary,
    ):
        temporary.write_text("whole")
    assert "name a file" in (caught.value.hint or "")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="cannot write there: No space left") as caught,
        written_atomically(tmp_path / "it"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "make room" in (caught.value.hint or "")


def test_a_share_that_keeps_modes_of_its_own_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    with written_atomically(tmp_path / "it") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "it").read_text() == "whole"


def test_a_file_in_a_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("a file")
    for folder in (tmp_path / "it", tmp_path / "it" / "below"):
        with pytest.raises(InputError, match="cannot be made a folder") as caught:
            make_folder(folder)
        assert "name a folder" in (caught.value.hint or "")


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
