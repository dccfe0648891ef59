"""Make temporary folders, and look at where they lie: models are compiled, unpacked and run there.

`cpp_runner/support/temporary_folder.cpp` says the same.
"""

import errno
import mmap
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mpm_deploy.errors import HostError

CURE = "name a folder with room, from which code may run: TMPDIR=/var/tmp, or one of your own"


@contextmanager
def temporary_folder(parent: Path | None = None, prefix: str = "mpm-") -> Iterator[Path]:
    """Make a folder, and remove it with all that is in it when the block ends.

    Ctrl-C raises at any moment. The folder's name is known before it is made, and it is removed
    twice, so that one exception in between never leaves it; `tempfile.TemporaryDirectory` may.

    Args:
        parent: Where to make it; None is the folder for temporary files.
        prefix: How its name begins.

    Raises:
        OSError: It cannot be made.
    """
    folder = (parent or Path(tempfile.gettempdir())) / f"{prefix}{secrets.token_hex(8)}"
    try:
        try:
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_temporary_folder(room: int = 0, *, for_code: bool = False) -> Path:
    """Return the folder for temporary files, if it will do.

    Args:
        room: How many bytes it must have room for.
        for_code: Whether machine code is to run from it.

    Raises:
        HostError: There is none, it has too little room, or no code may run from it.
    """
    folder = "temporary folder"
    try:
        folder = f"temporary folder {tempfile.gettempdir()}"
        _check_room(Path(tempfile.gettempdir()), room)
        with tempfile.TemporaryFile() as file:
            if for_code:
                _check_code_runs(file)
    except OSError as error:
        raise HostError(f"{folder}: {error.strerror}", CURE) from error
    return Path(tempfile.gettempdir())


def _check_room(folder: Path, room: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < room:
        raise OSError(errno.ENOSPC, f"{free >> 20} MiB free, and {-(-room >> 20)} are needed")


def _check_code_runs(file: IO[bytes]) -> None:
    file.truncate(mmap.PAGESIZE)
    try:
        mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError as error:
        raise OSError(error.errno, "mounted so that no code runs from it (noexec)") from error
