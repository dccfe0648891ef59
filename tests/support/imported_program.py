"""The Python program in a process of its own that has imported it already.

Importing torch takes longer than most of what tests have the program do. One process imports it and
does nothing else; each run is a fork of that, with its own streams, environment and folder, and
starts as a new process does: no thread has been started, no operator has run.
"""

import os
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

from mpm_deploy import cli
from mpm_deploy.run.runner import Runner

__all__ = ["Runner", "run_imported"]  # a runner imports torch

_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


def run_imported(*arguments: object, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
    """Run a command as ``python -m mpm_deploy.cli`` would.

    Raises:
        TimeoutExpired: It took longer, and was killed.
    """
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdout", "stderr")]
        process = _SERVER.Process(target=_main, args=(words, {**os.environ}, Path.cwd(), streams))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout)
        said, told = (stream.read_text() for stream in streams)
        return subprocess.CompletedProcess(words, process.exitcode, said, told)


def _main(words: list[str], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.exit(cli.main(words))
