"""Files appear whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.support.files import (
    check_can_write,
    check_output_folder,
    folder_written_atomically,
    make_folder,
    written_atomically,
)


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "it.txt"
    with written_atomically(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
        assert temporary.name == target.name
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_a_file_is_what_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with written_atomically(tmp_path / "it") as temporary:
            temporary.touch(0o600)  # as some writers do
        with folder_written_atomically(tmp_path / "folder") as temporary:
            (temporary / "it").touch(0o600)
    finally:
        os.umask(before)
    for path in (tmp_path / "it", tmp_path / "folder" / "it"):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_an_error_leaves_what_was_there(tmp_path):
    target = tmp_path / "it.txt"
    target.write_text("before")
    with pytest.raises(RuntimeError), written_atomically(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "it"
    with folder_written_atomically(target) as temporary:
        (temporary / "in").mkdir()
        (temporary / "in" / "it.txt").write_text("whole")
        assert not target.exists()
    assert (target / "in" / "it.txt").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError), folder_written_atomically(tmp_path / "it") as temporary:
        (temporary / "it.txt").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_put_in_anothers_place(tmp_path):
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "others.txt").write_text("kept")
    with (
        pytest.raises(InputError, match="it: cannot write there: Directory not empty"),
        folder_written_atomically(tmp_path / "it"),
    ):
        pass
    assert (tmp_path / "it" / "others.txt").read_text() == "kept"


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


@pytest.mark.parametrize(
    ("make", "found"), [(os.mkdir, "a folder"), (os.mkfifo, "a device or a pipe")]
)
def test_what_is_no_file_is_no_target(tmp_path, make, found):
    target = tmp_path / "it"
    make(target)
    with pytest.raises(InputError, match=f"it: cannot write there: expected a file, got {found}"):
        check_can_write(None, target)


def test_a_trial_leaves_nothing(tmp_path):
    there = tmp_path / "there"
    there.write_text("before")
    check_can_write(there, tmp_path / "new")
    make_folder(tmp_path / "made" / "here")
    assert there.read_text() == "before"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "made", "there"]


@pytest.mark.parametrize("check", [check_can_write, make_folder])
def test_a_full_disk_is_found_in_time(tmp_path, monkeypatch, check):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="cannot write there: No space left on device"):
        check(tmp_path / "it")


def test_an_input_folder_is_no_output_folder(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").touch()
    (tmp_path / "link").symlink_to(photos)
    for same in (photos, tmp_path / "link", photos / ".." / "photos"):
        with pytest.raises(InputError, match="not one of the input folders"):
            check_output_folder(same, [tmp_path / "none", photos])
    check_output_folder(photos, [photos / "a.jpg"])
    check_output_folder(photos / "out", [photos])


def test_another_kind_of_file_is_not_written_over(tmp_path):
    artifact, report = tmp_path / "a.pt", tmp_path / "a.json"
    artifact.write_bytes(b"PK and more")
    report.write_bytes(b"{}")
    check_can_write(report, begins=b"{")
    check_can_write(tmp_path / "new", begins=b"{")
    with pytest.raises(InputError, match="expected a new file or one of its kind, got another"):
        check_can_write(artifact, begins=b"{")
    assert artifact.read_bytes() == b"PK and more"
