"""Give way to other processes that keep our cores busy, and be fast where there are none."""

import time
from concurrent.futures import ThreadPoolExecutor

import torch

from mpm_deploy.support.contention import ContentionWatch
from mpm_deploy.support.cores import cores_of_affinity
from mpm_deploy.support.threads import set_intra_op_threads

_SECONDS_BETWEEN_LOOKS = 1.0
# Cores that others keep busy beyond those that are left to them: where there are neighbors, and
# where there are none any more.
_MANY, _FEW = 0.3, 0.15


class Neighbors:
    """Has threads that share an operator sleep at once, not wait awake, while others are busy.

    A thread that waits awake burns the time of its core, which the one it waits for needs where a
    neighbor takes turns with it. But to sleep and be woken at every operator costs a quarter of the
    speed where nobody else wants the core:

                               waiting awake   asleep     images a second of a small model,
        nobody else is busy        10.5          7.8      two threads on two cores
        one neighbor is            0.6           5.6

    libgomp, which shares torch's operators out, reads once how long to wait awake. But its threads
    sleep at once while there are more of them than cores. So a pool with nothing to do is kept
    beside busy neighbors.

    Args:
        threads: That share an operator; one alone waits for nobody.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._watch = ContentionWatch()
        self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        self._surplus: ThreadPoolExecutor | None = None

    @property
    def gives_way(self) -> bool:
        """Whether threads sleep at once."""
        return self._surplus is not None

    def look(self) -> None:
        """Look what others do, once a second at most; to be called between operators."""
        if self._threads == 1 or time.monotonic() < self._next_look:
            return
        left = cores_of_affinity() - self._threads
        taken = self._watch.read().others_cores - left
        self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        if self._surplus is None and taken > _MANY:
            self._surplus = _open_pool()
        elif taken < _FEW:
            self.close()

    def close(self) -> None:
        """Let threads wait awake again."""
        if self._surplus is not None:
            self._surplus.shutdown()
            self._surplus = None


def _open_pool() -> ThreadPoolExecutor:
    """Return a thread that has called a large operator, and so has a pool behind it."""
    thread = ThreadPoolExecutor(1, "mpm-surplus", set_intra_op_threads, (cores_of_affinity(),))
    thread.submit(lambda: torch.ones(1 << 19).sum()).result()
    return thread
