import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mpm_deploy.run.pipeline import in_batches, prefetch


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as executor:
        yield executor


def test_order_is_kept_though_work_ends_out_of_order(pool: ThreadPoolExecutor) -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    outcomes = prefetch(lambda item: pool.submit(work, item), range(50), ahead=7)
    assert list(outcomes) == [item * item for item in range(50)]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_window_is_bounded(pool: ThreadPoolExecutor, ahead: int) -> None:
    begun = 0

    def submit(item: int) -> "Future[int]":
        nonlocal begun
        begun += 1
        return pool.submit(int, item)

    for done, _ in enumerate(prefetch(submit, range(40), ahead)):
        assert begun <= done + ahead


def test_work_is_done_while_the_reader_is_busy(pool: ThreadPoolExecutor) -> None:
    second = threading.Event()
    outcomes = prefetch(lambda item: pool.submit(second.set if item else int), range(3), ahead=2)
    next(outcomes)
    assert second.wait(5)
    outcomes.close()


def test_error_in_the_work_surfaces_in_its_place(pool: ThreadPoolExecutor) -> None:
    outcomes = prefetch(lambda item: pool.submit(lambda: 1 // (3 - item)), range(9), ahead=4)
    assert [next(outcomes) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(outcomes)
    assert list(outcomes) == []


def test_error_in_the_items_surfaces_behind_what_came_before(pool: ThreadPoolExecutor) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise LookupError("no more")

    outcomes = prefetch(lambda item: pool.submit(int, item), items(), ahead=8)
    assert [next(outcomes) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError):
        next(outcomes)
    batches = in_batches(items(), 2, lambda _: True)
    assert [next(batches) for _ in range(2)] == [[0, 1], [2]]
    with pytest.raises(LookupError):
        next(batches)


def test_closing_early_cancels_and_waits() -> None:
    running, finished = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if item == 1:
            running.set()
            time.sleep(0.05)
            finished.set()
        return item

    with ThreadPoolExecutor(1) as pool:
        futures: list[Future[int]] = []

        def submit(item: int) -> "Future[int]":
            futures.append(pool.submit(work, item))
            return futures[-1]

        outcomes = prefetch(submit, range(100), ahead=6)
        next(outcomes)
        assert running.wait(5)
        outcomes.close()
        assert finished.is_set()
        assert [future.cancelled() for future in futures[2:]] == [True] * 4


@pytest.mark.parametrize(
    ("items", "batches"),
    [
        ("", []),
        ("abcd", ["ab", "cd"]),
        ("abc", ["ab", "c"]),
        ("-abc", ["-", "ab", "c"]),
        ("a-bc-d", ["a-b", "c-d"]),
        ("ab--c-", ["ab", "-", "-", "c-"]),
    ],
)
def test_batches_fill_up_with_what_counts(items: str, batches: list[str]) -> None:
    cut = in_batches(items, 2, lambda item: item != "-")
    assert ["".join(batch) for batch in cut] == batches
