"""The first signal is an exception, further ones are nothing, and what was ignored stays so."""

import signal
import subprocess
import sys
from pathlib import Path

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


# Whatever the shell of this test has ignored, as nohup does.
AS_EVER = """
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""


def leave(number: int, before: str = AS_EVER) -> list[str]:
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


IMPORT = """
import sys, time
from mpm_deploy.cli.signals import Interruption
with Interruption() as interruption:
    try:
        import slow_to_import
        time.sleep(20)
    except KeyboardInterrupt:
        print(sys.modules["slow_to_import"].IS_WHOLE)
        print("interrupted")
print(interruption.exit_code)
"""


def test_a_module_that_is_being_imported_is_imported_whole(tmp_path: Path) -> None:
    """What is raised amid an import may be lost there, or leave its lock taken."""
    (tmp_path / "slow_to_import.py").write_text(
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(0.2)\n"
        "IS_WHOLE = True\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.stdout.split() == ["True", "interrupted", "143"]
