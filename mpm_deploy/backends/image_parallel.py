"""Run several images at once on a CPU, each on threads of its own.

    one after the other, all threads on each       side by side, the threads shared out
    thread 1  ▓▓░▓▓▓░▓░│▓▓░▓▓▓░▓░                  ▓▓▓▓▓▓▓▓▓▓▓▓▓
    thread 2  ▓▓░▓▓░░▓░│▓▓░▓▓░░▓░                  ▓▓▓▓▓▓▓▓▓▓▓▓▓

All threads on one image wait for one another at every operator, and some operators have work for
one only.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

import torch

from mpm_deploy.support.threads import set_intra_op_threads

Part = TypeVar("Part")
Outcome = TypeVar("Outcome")


class SideBySide:
    """Workers that share a batch; they are made when a batch first has work for them."""

    def __init__(self) -> None:
        # Each a thread of its own: a small batch then takes the first ones, and it is theirs alone
        # to have large thread pools behind them.
        self._workers: list[ThreadPoolExecutor] = []

    def map(self, function: Callable[[Part], Outcome], parts: Sequence[Part]) -> list[Outcome]:
        """Apply ``function`` to each part, as many at once as torch has threads here.

        Raises:
            Whatever the function raises, of the first part that does, after all have ended; and
            what a worker raises that cannot begin.
        """
        threads = torch.get_num_threads()
        count = min(threads, len(parts))
        if count <= 1:
            return [function(part) for part in parts]
        while len(self._workers) < count:
            self._workers.append(ThreadPoolExecutor(1, "mpm-part"))
        outcomes: list[Future[Outcome]] = [Future() for _ in parts]
        # Whoever is done takes the next one: images keep different numbers of tokens.
        waiting: SimpleQueue[tuple[Part, Future[Outcome]]] = SimpleQueue()
        for task in zip(parts, outcomes, strict=True):
            waiting.put(task)
        begun: list[Future[None]] = []
        try:
            for worker in self._workers[:count]:
                begun.append(worker.submit(_work, function, waiting, threads // count))
        finally:
            wait(begun)
        for each in begun:
            each.result()  # of one that has failed itself some parts may have no outcome
        return [outcome.result() for outcome in outcomes]

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.shutdown()


def _work(
    function: Callable[[Part], Outcome],
    waiting: SimpleQueue[tuple[Part, Future[Outcome]]],
    threads: int,
) -> None:
    set_intra_op_threads(threads)
    with suppress(Empty), torch.inference_mode():
        while True:
            part, outcome = waiting.get_nowait()
            try:
                outcome.set_result(function(part))
            except Exception as error:  # noqa: BLE001 - not understood here, only carried over
                outcome.set_exception(error)
