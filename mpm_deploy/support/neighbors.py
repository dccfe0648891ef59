"""Give way to other processes that keep our cores busy, and be fast where there are none."""

import math
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
    """Has an operator shared by as many threads as others leave cores, half of them at least.

    All threads of an operator wait for the last one, which has to wait for its core where a
    neighbor takes turns with it::

                            two threads,      two threads,   one       images a second of a
                            waiting awake     asleep         thread    tiny model on two cores
        nobody is busy          215              ·            159
        one neighbor is           ·             74            158
        two are                   ·             34            132

    Where even half of the threads are more than others leave, those that wait sleep at once: awake
    they burn the time of a core that another one needs. libgomp, which shares torch's operators
    out, reads once how long to wait awake; but its threads sleep while there are more of them than
    cores. So a pool with nothing to do is kept then.

    Args:
        threads: That share an operator; one alone waits for nobody.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._given_up = 0
        self._watch = ContentionWatch()
        self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        self._surplus: ThreadPoolExecutor | None = None

    def look(self) -> None:
        """Look what others do, once a second at most.

        It is to be called between operators, on the thread that calls them.
        """
        if self._threads == 1 or time.monotonic() < self._next_look:
            return
        left = cores_of_affinity() - self._threads
        taken = self._watch.read().others_cores - left
        self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        self._given_up = self._threads_to_give_up(taken)
        set_intra_op_threads(self._threads - self._given_up)
        self._sleep(taken - self._given_up)

    def close(self) -> None:
        """Forget the neighbors."""
        self._given_up = 0
        self._sleep(0.0)

    def _threads_to_give_up(self, taken: float) -> int:
        """Return how many threads have no core to themselves; one that has just lost it stays so.

        Args:
            taken: Cores that others keep busy beyond those that are left to them.
        """
        many, few = (
            min(self._threads // 2, math.floor(taken + 1 - least)) for least in (_MANY, _FEW)
        )
        return max(0, many, min(self._given_up, few))

    def _sleep(self, taken: float) -> None:
        """Have threads sleep as they wait where others take cores from those that are left."""
        if self._surplus is None and taken > _MANY and self._threads - self._given_up > 1:
            self._surplus = _open_pool()
        elif self._surplus is not None and taken < _FEW:
            self._surplus.shutdown()
            self._surplus = None


def _open_pool() -> ThreadPoolExecutor:
    """Return a thread that has called a large operator, and so has a pool behind it."""
    thread = ThreadPoolExecutor(1, "mpm-surplus", set_intra_op_threads, (cores_of_affinity(),))
    thread.submit(lambda: torch.ones(1 << 19).sum()).result()
    return thread
