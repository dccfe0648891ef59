"""Parts side by side: order, threads, errors."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from mpm_deploy.backends.image_parallel import SideBySide


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def side_by_side() -> Iterator[SideBySide]:
    pool = SideBySide()
    yield pool
    pool.close()


@pytest.mark.usefixtures("three_threads")
def test_outcomes_keep_the_order(side_by_side: SideBySide) -> None:
    assert side_by_side.map(lambda part: part * part, list(range(20))) == [i * i for i in range(20)]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize(("parts", "share"), [(1, 3), (2, 1), (3, 1), (7, 1)])
def test_the_threads_are_shared_out(side_by_side: SideBySide, parts: int, share: int) -> None:
    shares = side_by_side.map(lambda _: torch.get_num_threads(), range(parts))
    assert shares == [share] * parts
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_parts_run_at_once(side_by_side: SideBySide) -> None:
    everyone = threading.Barrier(3)
    side_by_side.map(lambda _: everyone.wait(timeout=20), range(3))


@pytest.mark.usefixtures("three_threads")
def test_whoever_is_done_takes_the_next_part(side_by_side: SideBySide) -> None:
    others_done = threading.Event()
    done = []

    def work(part: int) -> None:
        if part == 0:
            assert others_done.wait(timeout=20)
            return
        done.append(part)
        if len(done) == 9:
            others_done.set()

    side_by_side.map(work, range(10))


@pytest.mark.usefixtures("three_threads")
def test_an_error_comes_after_the_others_are_done(side_by_side: SideBySide) -> None:
    done = []

    def work(part: int) -> None:
        if part == 0:
            raise ValueError("the first")
        done.append(part)

    with pytest.raises(ValueError, match="the first"):
        side_by_side.map(work, range(6))
    assert sorted(done) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("three_threads")
def test_where_no_worker_can_begin_nobody_waits_for_ever(
    side_by_side: SideBySide, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(threads: int) -> None:
        raise RuntimeError(f"no {threads} threads")

    monkeypatch.setattr("mpm_deploy.backends.image_parallel.set_intra_op_threads", refuse)
    with pytest.raises(RuntimeError, match="no 1 threads"):
        side_by_side.map(lambda part: part, range(3))


@pytest.mark.usefixtures("three_threads")
def test_where_a_worker_cannot_be_had_those_that_work_are_waited_for(
    side_by_side: SideBySide, monkeypatch: pytest.MonkeyPatch
) -> None:
    side_by_side.map(lambda part: part, range(3))  # three workers
    done = []

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    def work(part: int) -> None:
        time.sleep(0.05)
        done.append(part)

    monkeypatch.setattr(side_by_side._workers[2], "submit", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        side_by_side.map(work, range(4))
    assert sorted(done) == [0, 1, 2, 3]
