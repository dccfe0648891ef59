"""Operators are shared by as many threads as busy neighbors leave cores."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from mpm_deploy.support import neighbors as neighbors_module
from mpm_deploy.support.contention import Contention, ContentionWatch
from mpm_deploy.support.cores import cores_of_affinity
from mpm_deploy.support.neighbors import Neighbors
from mpm_deploy.support.threads import set_intra_op_threads


class Clock:
    """Time and neighbors as the test has them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.others_cores = 0.0
        self.threads = 4  # that share an operator


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.seconds)
    monkeypatch.setattr(neighbors_module, "cores_of_affinity", lambda: 4)
    share = partial(setattr, clock, "threads")
    monkeypatch.setattr(neighbors_module, "set_intra_op_threads", share)
    monkeypatch.setattr(neighbors_module, "_open_pool", lambda: ThreadPoolExecutor(1))
    monkeypatch.setattr(ContentionWatch, "read", lambda _: Contention(clock.others_cores, 0.0, 0.0))
    return clock


def shared(clock: Clock, neighbors: Neighbors, *others_cores: float) -> list[tuple[int, bool]]:
    """How many threads share an operator beside these, and whether they sleep as they wait."""
    seen = []
    for cores in others_cores:
        clock.others_cores = cores
        clock.seconds += 1.5
        neighbors.look()
        seen.append((clock.threads, neighbors._surplus is not None))
    neighbors.close()
    return seen


def test_threads_are_those_that_others_leave_cores(clock: Clock) -> None:
    assert shared(clock, Neighbors(4), 0.0, 0.2, 1.0, 0.2, 0.1, 0.2, 1.4) == [
        (4, False),
        (4, False),
        (3, False),
        (3, False),  # neither many nor few
        (4, False),
        (4, False),
        (2, False),
    ]


def test_half_of_the_threads_stay_and_sleep(clock: Clock) -> None:
    assert shared(clock, Neighbors(4), 2.0, 3.5, 2.2, 2.0) == [
        (2, False),
        (2, True),
        (2, True),  # neither many nor few
        (2, False),
    ]


def test_cores_that_are_left_to_others_do_not_count(clock: Clock) -> None:
    seen = shared(clock, Neighbors(2), 2.0, 2.5, 2.0)
    assert [threads for threads, _ in seen] == [2, 1, 2]


def test_one_thread_waits_for_nobody(clock: Clock) -> None:
    assert shared(clock, Neighbors(1), 4.0) == [(4, False)]


def test_a_look_is_taken_once_a_second(clock: Clock) -> None:
    neighbors = Neighbors(4)
    clock.others_cores, clock.seconds = 4.0, 0.5
    neighbors.look()
    assert clock.threads == 4
    clock.seconds = 1.5
    neighbors.look()
    assert clock.threads == 2


@pytest.mark.skipif(cores_of_affinity() < 2, reason="one core: one thread")
def test_real_neighbors_are_seen() -> None:
    cores = cores_of_affinity()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    threads = torch.get_num_threads()
    try:
        neighbors = Neighbors(cores)
        time.sleep(1.2)
        neighbors.look()
        assert torch.get_num_threads() < cores
        neighbors.close()
    finally:
        set_intra_op_threads(threads)
        for process in busy:
            process.kill()
            process.wait()
