"""What others take of this process's cores, and how often they interrupt it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpm_deploy.support import contention
from mpm_deploy.support.contention import ContentionWatch, busy_seconds

STAT = (
    "cpu  9 9 9 9 9 9 9 9 9 9\n"
    "cpu0 100 20 30 5000 600 7 8 9 50 0\n"
    "cpu1 200 0 0 5000 0 0 0 0 0 0\n"
    "cpu2 400 0 0 5000 0 0 0 0 0 0\n"
    "intr 5 6\n"
)


def test_busy_is_all_but_idle_and_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(contention.os, "sysconf", lambda _: 100)
    (tmp_path / "stat").write_text(STAT)
    assert busy_seconds(tmp_path / "stat") == (174 + 200) / 100
    assert busy_seconds(tmp_path / "missing") == 0


def test_a_busy_neighbor_is_seen() -> None:
    """Both on one core, of which each has a half; what else runs here only takes more."""
    (core, *_) = before = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    neighbor = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    )
    try:
        assert neighbor.stdout is not None
        neighbor.stdout.readline()
        watch = ContentionWatch()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass
        told = watch.read()
    finally:
        neighbor.kill()
        neighbor.communicate()
        os.sched_setaffinity(0, set(before))
    assert 0.3 < told.others_cores <= 1.1
    assert told.interruptions > 20
