"""Runs a peer's images side by side, one per core, as
`mpm_deploy.backends.image_parallel` runs ours.

decoded images ──▶ threads that each take the next one ──▶ label maps in order
                   one session for all, one core a call
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers.engines import Peer, Task
from mpm_deploy.run.pipeline import prefetch
from mpm_deploy.support.threads import set_intra_op_threads


class SideBySide:
    """An open peer and the threads that call it.

    Args:
        peer: The peer that is called; it has converted the task already.
        task: The task that it runs.
        at_once: Images side by side.

    Raises:
        Exception: Whatever the engine raises where it cannot be opened so.
    """

    def __init__(self, peer: Peer, task: Task, at_once: int) -> None:
        self._at_once = at_once
        self._session = peer.open(replace(task, threads=1, at_once=at_once))
        self._threads = ThreadPoolExecutor(at_once, "side-by-side", set_intra_op_threads, (1,))

    def label_maps(self, images: Iterable[Tensor]) -> Iterator[NDArray[np.uint8]]:
        """Return the label map ``(H, W)`` of every ``(1, 3, H, W)`` uint8 image, in the
        images' order.

        Raises:
            Exception: Whatever the engine or ``images`` raise.
        """
        # One waits behind each in work, so that no thread rests while the oldest is not done.
        return prefetch(self._submit, images, 2 * self._at_once)

    def _submit(self, image: Tensor) -> Future[NDArray[np.uint8]]:
        return self._threads.submit(self._session.label_map, image)
