"""Write files so that they appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mpm_deploy.errors import InputError
from mpm_deploy.support.refusal import refusal

_CURE = "name a file, in a folder that exists and that you may write to"


@contextmanager
def written_atomically(target: Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``target`` when the block ends well.

    The temporary file lies in a folder beside the target, under the target's own name (TorchScript
    names an archive after its file); after an error nothing is left of it.

    Raises:
        InputError: It cannot be written there, or could not be until its end: says why.
    """
    target = Path(target)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{target.name[:32]}.", dir=target.parent)
        with folder as name:
            temporary = Path(name) / target.name
            yield temporary
            _let_all_read(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
    except OSError as error:
        raise refusal(InputError, f"{target}: cannot write there", error, _CURE) from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it.

    Raises:
        InputError: It cannot be made: says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder}: cannot be made a folder"
        raise refusal(InputError, what, error, "name a folder, there or new") from error


def _let_all_read(file: Path) -> None:
    """Undo that some writers make files which only their owner may read.

    Where a network share keeps modes of its own, they stand.
    """
    with suppress(OSError):
        file.chmod(0o644)
