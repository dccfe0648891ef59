"""Set how many threads torch uses on a CPU, for the calling thread alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

_lock = threading.Lock()


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
