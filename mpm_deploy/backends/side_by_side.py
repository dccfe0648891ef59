"""Several images at once on a CPU, each on threads of its own.

    one after the other, all threads on each       side by side, the threads shared out
    thread 1  ▓▓░▓▓▓░▓░│▓▓░▓▓▓░▓░                  ▓▓▓▓▓▓▓▓▓▓▓▓▓
    thread 2  ▓▓░▓▓░░▓░│▓▓░▓▓░░▓░                  ▓▓▓▓▓▓▓▓▓▓▓▓▓

All threads on one image wait for one another at every operator, and some operators have work for
one only.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from mpm_deploy.own_threads import set_own_threads

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
            Whatever the function raises, of the first part that does, after all have ended.
        """
        threads = torch.get_num_threads()
        count = min(threads, len(parts))
        if count <= 1:
            return [function(part) for part in parts]
        while len(self._workers) < count:
            self._workers.append(ThreadPoolExecutor(1, "mpm-part"))
        futures = [
            self._workers[i % count].submit(_call, function, part, threads // count)
            for i, part in enumerate(parts)
        ]
        wait(futures)
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.shutdown()


def _call(function: Callable[[Part], Outcome], part: Part, threads: int) -> Outcome:
    set_own_threads(threads)
    with torch.inference_mode():
        return function(part)
