"""Write files so that they appear whole or not at all, and find out in time if they cannot."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mpm_deploy.errors import InputError
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.temporary_folder import temporary_folder

_CURE = "name a file, in a folder that exists and that you may write to"
_TRIAL = bytes(1 << 16)  # as long as a report


@contextmanager
def written_atomically(target: Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``target`` when the block ends well.

    The temporary file lies in a folder beside the target, under the target's own name, which tells
    some writers the format; after an error nothing is left of it.

    Raises:
        InputError: It cannot be written there, or could not be until its end: says why.
    """
    target = Path(target)
    with _temporary_beside(target) as temporary:
        mode = _mode_of_a_new_file(temporary)
        yield temporary
        _set_mode(temporary, mode)
        _sync(temporary)
        temporary.replace(target)


@contextmanager
def folder_written_atomically(target: Path) -> Iterator[Path]:
    """Give a new folder to write into, and rename it to ``target`` when the block ends well.

    It lies in a folder beside the target; after an error nothing is left of it.

    Raises:
        InputError: It cannot be written there, or something lies there: says why.
    """
    with _temporary_beside(target) as temporary:
        mode = _mode_of_a_new_file(temporary)
        temporary.mkdir()
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                _set_mode(path, mode)
                _sync(path)
        temporary.rename(target)


def check_can_write(*targets: Path | None, begins: bytes = b"") -> None:
    """Fail now, not after minutes of work, if one of these files cannot be written; None is none.

    Args:
        targets: The files.
        begins: What such a file begins with: one that begins otherwise is another's, as an input.

    Raises:
        InputError: Its folder is missing, read-only or full; or what lies there is no such file.
    """
    for target in targets:
        if target is None:
            continue
        try:
            _check_is_no_other_thing(target)
            _check_begins(target, begins)
        except OSError as error:
            raise refusal(InputError, f"{target}: cannot write there", error, _CURE) from error
        _try_to_write(target)


def make_folder(folder: Path) -> None:
    """Make a folder for results and those above it, and try to write there.

    Raises:
        InputError: It cannot be made or written: says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder}: cannot be made a folder"
        raise refusal(InputError, what, error, "name a folder, there or new") from error
    _try_to_write(folder / "results")


def check_output_folder(folder: Path, inputs: Iterable[Path]) -> None:
    """Check that results will not lie in a folder of inputs: the next run would take them for some.

    Args:
        folder: For results; need not be there.
        inputs: Folders, and files, which may lie in it.

    Raises:
        InputError: It is one of the input folders, by whatever path.
    """
    if folder.is_dir() and any(path.is_dir() and path.samefile(folder) for path in inputs):
        raise InputError(
            f"{folder}: expected an output folder that is not one of the input folders",
            "name another folder for the output",
        )


def _mode_of_a_new_file(file: Path) -> int:
    """Return the mode that one has there, by what the umask and the folder allow."""
    file.touch()
    mode = stat.S_IMODE(file.stat().st_mode)
    file.unlink()
    return mode


def _set_mode(file: Path, mode: int) -> None:
    """Undo that some writers make files which only their owner may read.

    Where a network share keeps modes of its own, they stand.
    """
    with suppress(OSError):
        file.chmod(mode)


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _check_is_no_other_thing(target: Path) -> None:
    if not target.parent.is_dir():
        raise InputError(f"{target}: cannot write there: no such folder", "make the folder first")
    if target.exists() and not target.is_file():
        found = "a folder" if target.is_dir() else "a device or a pipe"
        raise InputError(
            f"{target}: cannot write there: expected a file, got {found}", "name another file"
        )


def _check_begins(target: Path, begins: bytes) -> None:
    if not target.is_file():
        return
    with target.open("rb") as file:
        found = file.read(len(begins))
    if found and found != begins:
        raise InputError(
            f"{target}: cannot write there: expected a new file or one of its kind, got another",
            "name another file",
        )


def _try_to_write(target: Path) -> None:
    with _temporary_beside(target) as temporary:
        temporary.write_bytes(_TRIAL)


@contextmanager
def _temporary_beside(target: Path) -> Iterator[Path]:
    try:
        with temporary_folder(target.parent) as folder:
            yield folder / target.name
    except OSError as error:
        raise refusal(InputError, f"{target}: cannot write there", error, _CURE) from error
