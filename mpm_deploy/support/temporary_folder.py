"""Make temporary folders, and look at where they lie: models are compiled, unpacked and run there.

A folder is locked by the process that made it for as long as that lives: one that nobody holds is
a killed process's, and the next process that makes a folder beside it removes it.

`cpp_runner/support/temporary_folder.cpp` says the same.
"""

import errno
import fcntl
import mmap
import os
import re
import resource
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from mpm_deploy.errors import HostError
from mpm_deploy.support.refusal import refusal

CURE = "name a folder with room, from which code may run: TMPDIR=/var/tmp, or one of your own"

_NAME = re.compile(r"\.mpm-[0-9a-f]{16}")


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder, and remove it with all that is in it when the block ends.

    Ctrl-C raises at any moment. The folder's name is known before it is made, and it is removed
    twice, so that one exception in between never leaves it; `tempfile.TemporaryDirectory` may.

    Args:
        parent: Where to make it; None is the folder for temporary files.

    Raises:
        OSError: It cannot be made.
    """
    parent = parent or _for_temporary_files()
    _sweep(parent.absolute())
    folder = parent / _new_name()
    with ExitStack() as held:
        try:
            try:
                folder.mkdir(mode=0o700)
                while not _is_held(folder, held):  # it was swept away before it was locked
                    folder = parent / _new_name()
                    folder.mkdir(mode=0o700)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _new_name() -> str:
    return f".mpm-{secrets.token_hex(8)}"


def _is_held(folder: Path, held: ExitStack) -> bool:
    """Lock a new folder until ``held`` is closed; false if it is gone already.

    Where there are no locks of folders, as on some network shares, nothing is swept either.
    """
    with suppress(FileNotFoundError):
        file = _open(folder, held)
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
    return folder.exists()


@cache
def _sweep(parent: Path) -> None:
    """Remove what killed processes left in a folder: once a process, since it may hold much."""
    with suppress(OSError):
        for folder in [path for path in parent.iterdir() if _NAME.fullmatch(path.name)]:
            with suppress(OSError), ExitStack() as held:
                if folder.lstat().st_uid == os.geteuid():
                    fcntl.flock(_open(folder, held), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path, held: ExitStack) -> int:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    held.callback(os.close, file)
    return file


def check_temporary_folder(room: int = 0, *, for_code: bool = False) -> Path:
    """Return the folder for temporary files, if it will do.

    Args:
        room: How many bytes it must have room for, and a file may have.
        for_code: Whether machine code is to run from it.

    Raises:
        HostError: There is none, it has too little room, the limit of a file's size is below that
            (``ulimit -f``), or no code may run from it.
    """
    what = "temporary folder"
    try:
        folder = _for_temporary_files()
        what = f"temporary folder {folder}"
        free = shutil.disk_usage(folder).free
        if free < room:
            raise HostError(f"{what}: {free >> 20} MiB free, and {-(-room >> 20)} are needed", CURE)
        _check_file_size(room)
        with tempfile.TemporaryFile(dir=folder) as file:
            if for_code and not _code_runs(file):
                raise HostError(f"{what}: mounted so that no code runs from it (noexec)", CURE)
    except OSError as error:
        raise refusal(HostError, what, error, CURE) from error
    return folder


def _check_file_size(size: int) -> None:
    """Fail as writing so many bytes to one file would."""
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most != resource.RLIM_INFINITY and most < size:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def _for_temporary_files() -> Path:
    """Return the folder that TMPDIR names, where `tempfile` takes another if it cannot be used."""
    return Path(os.environ.get("TMPDIR") or tempfile.gettempdir())


def _code_runs(file: IO[bytes]) -> bool:
    file.truncate(mmap.PAGESIZE)
    try:
        mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError:
        return False
    return True
