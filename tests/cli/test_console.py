"""What cannot be printed degrades, and never takes results with it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpm_deploy.cli.console import open_streams, say, show, talk
from mpm_deploy.show.tables.style import new_table


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_cannot_say_degrades(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    open_streams()
    table = new_table("tokens kept")
    table.add_row("513 → 257")
    show(table)
    say("2 — 3")
    text = written.getvalue().decode(encoding)
    assert "513 ? 257" in text and "---" in text and text.endswith("\n2 ? 3\n")


def test_where_nobody_can_be_told_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        talk("nobody hears this")
        talk("nor this")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("device", "errors"),
    [
        ("/dev/full", "error: stdout: cannot write there: No space left on device\n"),
        (os.devnull, ""),
    ],
)
def test_a_table_that_finds_no_room_is_an_error(device: str, errors: str, unbuffered: str) -> None:
    with Path(device).open("w") as stdout:
        answer = subprocess.run(
            [sys.executable, "-m", "mpm_deploy.cli", "recipes"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert answer.stderr.startswith(errors)
    assert answer.returncode == bool(errors)


def test_nothing_that_a_terminal_obeys_gets_through(capsys):
    table = new_table("class")
    table.add_row("sky\x1b[2J[/]:car:")
    show(table)
    say("\x1b]0;title\x07")
    talk("a\u202egpj.png")
    output, errors = capsys.readouterr()
    assert "sky\\x1b[2J[/]:car:" in output and "\\x1b]0;title\\x07\n" in output
    assert errors == "a\\u202egpj.png\n"
