"""What a machine has to give, and the cure for what it has too little of."""

import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest

from mpm_deploy.builder import resources
from mpm_deploy.support import temporary_folder


def test_this_machine_has_enough() -> None:
    for found, cure in (
        resources.examine_threads(8),
        resources.examine_temporary_folder(),
        resources.examine_cache("NO_SUCH_VARIABLE", resources.inductor_cache()),
    ):
        assert found
        assert cure is None
    assert resources.examine_memory()[0].endswith("GiB available")


def test_a_temporary_folder_that_is_not_there_has_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", find_none)
    found, cure = resources.examine_temporary_folder()
    assert found == "No usable temporary directory found in ['/tmp']"
    assert "TMPDIR=" in (cure or "")


def test_a_named_temporary_folder_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    found, cure = resources.examine_temporary_folder()
    assert found == f"{tmp_path / 'none'}: No such file or directory"
    assert cure


def test_a_temporary_folder_without_room_has_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_ROOM", 1 << 60)
    found, cure = resources.examine_temporary_folder()
    assert "MiB free, and" in found
    assert cure


def test_a_temporary_folder_from_which_no_code_runs_has_a_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(temporary_folder.mmap, "mmap", refuse)
    found, cure = resources.examine_temporary_folder()
    assert "noexec" in found
    assert cure


def test_threads_that_cannot_be_started_have_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, []

    def start_three(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_three)
    found, cure = resources.examine_threads(8)
    assert found == "3 of 8 can be started"
    assert "ulimit -u" in (cure or "")
    assert not any(thread.is_alive() for thread in started)


def test_memory_that_is_short_has_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 9999999 kB\nMemAvailable:    8388608 kB\n",
        "/sys/fs/cgroup/memory.max": str(3 << 29),
        "/sys/fs/cgroup/memory.current": str(1 << 30),
    }
    monkeypatch.setattr(resources, "_text", lambda path: files.get(path, ""))
    found, cure = resources.examine_memory()
    assert found == "0.5 GiB available"
    assert "--batch 1" in (cure or "")


def test_a_cache_that_cannot_be_written_has_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_CACHE", str(tmp_path / "not" / "yet"))
    assert resources.examine_cache("SOME_CACHE", tmp_path) == (str(tmp_path / "not" / "yet"), None)
    monkeypatch.setattr(os, "access", lambda *_: False)
    found, cure = resources.examine_cache("SOME_CACHE", tmp_path)
    assert found.endswith("cannot be written")
    assert "SOME_CACHE=" in (cure or "")
