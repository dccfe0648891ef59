"""Set how many threads torch uses on a CPU, for the calling thread alone."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import torch

_lock = threading.Lock()
# Nobody holds it in a process that is forked: who did would not be there to let go.
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


def set_intra_op_threads(count: int) -> None:
    """Let torch's operators use ``count`` threads when this thread calls them.

    `torch.set_num_threads` sets this thread's number, and with it the one that every new thread
    takes over at its first look. That one is read and put back, each on another thread.
    """
    if torch.get_num_threads() == count:  # a first look, which must not come later
        return
    with _lock, ThreadPoolExecutor(1) as other:
        before = other.submit(torch.get_num_threads).result()
        torch.set_num_threads(count)
        other.submit(torch.set_num_threads, before).result()
