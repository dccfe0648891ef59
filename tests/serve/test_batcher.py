"""The batcher, with work that is made up: whom it takes along, whom it drops, whom it waits for."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from mpm_deploy.serve.batcher import Batcher

SOON = 5.0


class Work:
    """Doubles numbers; waits at a gate, and keeps the batches that came through it."""

    def __init__(self, is_open: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def __call__(self, items: list[int]) -> list[int]:
        self.begun.release()
        assert self.gate.wait(SOON)
        self.batches.append(items)
        if 13 in items:
            raise ValueError("13")
        return [2 * item for item in items]

    async def has_begun(self, times: int) -> None:
        for _ in range(times):
            assert await asyncio.to_thread(self.begun.acquire, timeout=SOON)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 2 * SOON))


async def busy(batcher: Batcher[int, int], work: Work) -> list[asyncio.Task[int]]:
    """Two batches of one item that are being worked on."""
    tasks = []
    for item in (1, 2):
        tasks.append(asyncio.create_task(batcher.submit(item)))
        await work.has_begun(1)
    return tasks


def test_who_waits_goes_along_in_batches() -> None:
    async def test() -> None:
        work = Work()
        async with Batcher(work, most=3) as batcher:
            tasks = await busy(batcher, work)
            tasks += [asyncio.create_task(batcher.submit(item)) for item in range(3, 8)]
            await asyncio.sleep(0)
            assert batcher.waiting == 5
            work.gate.set()
            assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10, 12, 14]
        assert sorted(work.batches) == [[1], [2], [3, 4, 5], [6, 7]]

    run(test())


def test_a_batch_waits_for_others_as_long_as_it_may() -> None:
    async def test() -> None:
        work = Work(is_open=True)
        async with Batcher(work, most=2, patience=SOON) as batcher:
            first = asyncio.create_task(batcher.submit(1))
            await asyncio.sleep(0.02)
            assert not first.done()
            assert await batcher.submit(2) == 4
            assert await first == 2
        assert work.batches == [[1, 2]]

    run(test())


def test_nobody_waits_for_company_longer() -> None:
    async def test() -> None:
        async with Batcher(Work(is_open=True), most=2, patience=0.01) as batcher:
            assert await batcher.submit(1) == 2

    run(test())


def test_who_fails_fails_alone() -> None:
    async def test() -> None:
        work = Work()
        async with Batcher(work, most=3) as batcher:
            tasks = await busy(batcher, work)
            tasks += [asyncio.create_task(batcher.submit(item)) for item in (12, 13, 14)]
            await asyncio.sleep(0)
            work.gate.set()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert outcomes[:3] == [2, 4, 24]
        assert isinstance(outcomes[3], ValueError)
        assert outcomes[4] == 28

    run(test())


def test_at_its_end_a_batch_that_fails_is_not_tried_again() -> None:
    async def test() -> None:
        work = Work()
        async with Batcher(work, most=2) as batcher:
            tasks = await busy(batcher, work)
            tasks += [asyncio.create_task(batcher.submit(item)) for item in (12, 13)]
            await asyncio.sleep(0)
            work.begun = threading.Semaphore(0)
            first, work.gate = work.gate, threading.Event()
            first.set()
            await work.has_begun(1)
            asyncio.get_running_loop().call_later(0.05, work.gate.set)  # amid its end
        assert sorted(work.batches) == [[1], [2], [12, 13]]

    run(test())


def test_who_has_gone_is_dropped() -> None:
    async def test() -> None:
        work = Work()
        async with Batcher(work, most=3) as batcher:
            tasks = await busy(batcher, work)
            gone, stays = (asyncio.create_task(batcher.submit(item)) for item in (3, 4))
            await asyncio.sleep(0)
            gone.cancel()
            tasks[0].cancel()  # its work is done all the same, for nobody
            await asyncio.sleep(0)
            work.gate.set()
            assert await stays == 8
            with pytest.raises(asyncio.CancelledError):
                await gone
        assert sorted(work.batches) == [[1], [2], [4]]

    run(test())
