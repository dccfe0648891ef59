"""The first signal is an exception, further ones are nothing, and what was ignored stays so."""

import signal
import subprocess
import sys

import pytest

LEAVE = """
import os, signal
from mpm_deploy.cli.signals import Interruption
{before}
with Interruption() as interruption:
    try:
        signal.raise_signal({number})
        print("went on")
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 3:
            signal.raise_signal(number)
        print("cleared away")
for _ in range(3):
    signal.raise_signal(signal.SIGINT) if interruption.exit_code else None
print(interruption.exit_code)
"""


def leave(number: int, before: str = "") -> list[str]:
    code = LEAVE.format(number=int(number), before=before)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout.split("\n")[:-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_only_the_first_signal_interrupts(number: int) -> None:
    assert leave(number) == ["cleared away", str(128 + number)]


def test_what_was_ignored_stays_so() -> None:
    before = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    assert leave(signal.SIGHUP, before) == ["went on", "None"]
