"""Write files so that they appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpm_deploy.errors import InputError


@contextmanager
def written_atomically(target: Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``target`` when the block ends well.

    The temporary file lies in a folder beside the target, under the target's own name (TorchScript
    names an archive after its file); after an error nothing is left of it.

    Raises:
        InputError: The target's folder does not exist or cannot be written.
    """
    target = Path(target)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{target.name[:32]}.", dir=target.parent)
    except OSError as error:
        raise InputError(
            f"{target}: cannot write there: {error.strerror}",
            "name a folder that exists and that you may write to",
        ) from error
    with folder as name:
        temporary = Path(name) / target.name
        yield temporary
        temporary.chmod(0o644)  # some writers make files that only their owner may read
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
