"""Opening an artifact again and again takes no more in C++ either: its own test, more often."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.mark.slow
def test_fifty_times_take_no_more(built: Path, cpp_command: list[str]) -> None:
    program = Path(cpp_command[0]).parent / "cpp" / "tests" / "mpm_tests"
    done = subprocess.run(
        [program, "--test-case=opening again and again takes no more"],
        env={**os.environ, "MPM_TEST_ARTIFACT": str(built), "MPM_TEST_TURNS": "50"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
