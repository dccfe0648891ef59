"""Temporary folders are gone afterwards, whenever an interrupt comes."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpm_deploy.errors import HostError
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder


def test_a_folder_goes_with_what_is_in_it(tmp_path):
    with pytest.raises(RuntimeError), temporary_folder(tmp_path) as folder:
        assert folder.parent == tmp_path and folder.name.startswith(".mpm-")
        (folder / "half").write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_an_interrupt_while_it_is_removed_leaves_nothing(tmp_path, monkeypatch):
    remove, calls = shutil.rmtree, []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(*arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path) as folder:
        (folder / "whole").write_text("whole")
    assert not list(tmp_path.iterdir())


HOLD = """
import os, sys
from pathlib import Path
from mpm_deploy.support.temporary_folder import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "large").write_text("large")
    print(folder.name, flush=True)
    sys.stdin.read(1)
"""


def hold(parent: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a process that has a temporary folder, and return the folder's name too."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path: Path) -> None:
    (tmp_path / ".mpm-of-another").mkdir()
    killed, left = hold(tmp_path)
    killed.kill()
    killed.communicate()
    assert (tmp_path / left / "large").exists()

    first, first_name = hold(tmp_path)
    second, second_name = hold(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".mpm-of-another", first_name, second_name}
    for process in (first, second):
        process.communicate("\n")
    assert [path.name for path in tmp_path.iterdir()] == [".mpm-of-another"]


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file may be larger than these bytes, as with ``ulimit -f``."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield 1 << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_larger_than_its_limit_is_refused_before_it_is_written(small_files: int) -> None:
    assert check_temporary_folder(small_files).is_dir()
    with pytest.raises(HostError, match=r"^temporary folder .*: File too large\n") as caught:
        check_temporary_folder(small_files + 1)
    assert "ulimit -f" in (caught.value.hint or "")
