"""Threads sleep at once beside busy neighbors, and wait awake where there are none."""

import subprocess
import sys
import time

import pytest

from mpm_deploy.support import neighbors as neighbors_module
from mpm_deploy.support.contention import Contention, ContentionWatch
from mpm_deploy.support.cores import cores_of_affinity
from mpm_deploy.support.neighbors import Neighbors


class Clock:
    """Time and neighbors as the test has them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.others_cores = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.seconds)
    monkeypatch.setattr(neighbors_module, "cores_of_affinity", lambda: 4)
    monkeypatch.setattr(ContentionWatch, "read", lambda _: Contention(clock.others_cores, 0.0, 0.0))
    return clock


def told(clock: Clock, neighbors: Neighbors, *others_cores: float) -> list[bool]:
    seen = []
    for cores in others_cores:
        clock.others_cores = cores
        clock.seconds += 1.5
        neighbors.look()
        seen.append(neighbors.gives_way)
    neighbors.close()
    return seen


def test_what_others_keep_busy_decides(clock: Clock) -> None:
    assert told(clock, Neighbors(4), 0.0, 0.2, 1.0, 0.2, 0.1, 0.2) == [
        False,
        False,
        True,
        True,  # neither many nor few
        False,
        False,
    ]


def test_cores_that_are_left_to_others_do_not_count(clock: Clock) -> None:
    assert told(clock, Neighbors(2), 2.0, 2.5, 2.0) == [False, True, False]


def test_one_thread_waits_for_nobody(clock: Clock) -> None:
    assert told(clock, Neighbors(1), 4.0) == [False]


def test_a_look_is_taken_once_a_second(clock: Clock) -> None:
    neighbors = Neighbors(4)
    clock.others_cores, clock.seconds = 4.0, 0.5
    neighbors.look()
    assert not neighbors.gives_way


@pytest.mark.skipif(cores_of_affinity() < 2, reason="one core: one thread")
def test_real_neighbors_are_seen() -> None:
    cores = cores_of_affinity()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        neighbors = Neighbors(cores)
        time.sleep(1.2)
        neighbors.look()
        assert neighbors.gives_way
        neighbors.close()
        assert not neighbors.gives_way
    finally:
        for process in busy:
            process.kill()
            process.wait()
