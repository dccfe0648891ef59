"""Make folders that are surely gone afterwards."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
