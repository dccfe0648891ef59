"""Put what waits together into batches, while the batches before it are being worked on.

    waiting     a   b c d   e
    worked on   [a]   [b c d] [e]        at most `most` at once; whoever waits goes along

Nobody waits for company longer than ``patience``, and not at all where that is 0.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_BATCHES_IN_FLIGHT = 2  # one in the model, and of one before it label maps are made


@dataclass(frozen=True)
class _Job(Generic[Item, Outcome]):
    item: Item
    outcome: "asyncio.Future[Outcome]"

    def finish(self, outcome: Outcome | Exception) -> None:
        if self.outcome.done():  # nobody waits for it any more
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class Batcher(Generic[Item, Outcome]):
    """Works on items in batches, on threads of its own, between ``async with`` and its end.

    Args:
        work: Makes the outcomes of a batch, in its order. Where it fails on several, each is tried
            alone, unless the end has come.
        most: Items of a batch.
        patience: Seconds that a batch waits for others to fill it.
    """

    def __init__(
        self, work: Callable[[list[Item]], Sequence[Outcome]], most: int, patience: float = 0.0
    ) -> None:
        self._work = work
        self._most = most
        self._patience = patience
        self._collecting = asyncio.Lock()  # who came first fills its batch before another begins
        self._queue: asyncio.Queue[_Job[Item, Outcome]] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(_BATCHES_IN_FLIGHT, "mpm-batch")
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def waiting(self) -> int:
        """The number of items that no batch has begun with."""
        return self._queue.qsize()

    async def submit(self, item: Item) -> Outcome:
        """Have an item worked on; where the caller is cancelled before it begins, it is dropped.

        Raises:
            Whatever the work raises on it.
        """
        job: _Job[Item, Outcome] = _Job(item, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(job)
        return await job.outcome

    async def __aenter__(self) -> "Batcher[Item, Outcome]":
        self._workers = [asyncio.create_task(self._run()) for _ in range(_BATCHES_IN_FLIGHT)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)  # what is worked on takes its time

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._collecting:
                batch = await self._collect()
            items = [job.item for job in batch]
            outcomes = await loop.run_in_executor(self._threads, self._outcomes, items)
            for job, outcome in zip(batch, outcomes, strict=True):
                job.finish(outcome)

    async def _collect(self) -> list[_Job[Item, Outcome]]:
        batch = [await self._next()]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while len(batch) < self._most:
                    batch.append(await self._next())
        return batch

    async def _next(self) -> _Job[Item, Outcome]:
        while True:
            job = await self._queue.get()
            if not job.outcome.done():
                return job

    def _outcomes(self, items: list[Item]) -> list[Outcome | Exception]:
        try:
            return [*self._work(items)]
        except Exception as error:  # noqa: BLE001 - not understood here, only carried over
            if len(items) == 1 or self._stopping:
                return [error] * len(items)
        return [outcome for item in items for outcome in self._outcomes([item])]
