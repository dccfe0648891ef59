"""What goes wrong outside of this program is no bug of it."""

import errno
import os
import subprocess
import sys

import pytest

from mpm_deploy.cli import recipes
from tests.cli.running import run


@pytest.mark.parametrize(
    ("error", "problem", "cure"),
    [
        (MemoryError(), "this machine is short of memory", "smaller batches"),
        (RuntimeError("can't start new thread"), "this machine is short of threads", "--threads 1"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "x"), "x: Read-only file system", "name"),
    ],
)
def test_a_refusal_is_no_bug(
    error: Exception,
    problem: str,
    cure: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_: object) -> int:
        raise error

    monkeypatch.setattr(recipes, "run", refuse)
    assert run("recipes") == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"error: {problem}")
    assert cure in said[1]


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_as_the_null_device(closed: int) -> None:
    names = ("in", "out", "err")
    code = (
        "import sys, os; from mpm_deploy import cli; from mpm_deploy.cli.console import talk\n"
        f"code = cli.main(['recipes']); talk('said'); assert sys.std{names[closed]}\n"
        f"assert os.path.samefile('/dev/null', '/proc/self/fd/{closed}')\n"
        "sys.exit(code)"
    )
    command = f'exec "$0" -c "$1" {"<" if closed == 0 else f"{closed}>"}&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "said" not in done.stdout
