"""A thread's own number of threads, in a process of its own: the number is part of its state."""

import subprocess
import sys

SCRIPT = """
import threading, torch
from mpm_deploy.support.threads import set_intra_op_threads

def numbers(function=lambda: None):
    seen = []
    def run():
        function()
        torch.ones(300000).sum()  # a parallel region: where a number would be taken over late
        seen.append(torch.get_num_threads())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return seen[0]

torch.set_num_threads(3)
assert numbers(lambda: set_intra_op_threads(1)) == 1
assert torch.get_num_threads() == 3, "the caller's"
assert numbers() == 3, "a new thread's"
assert numbers(lambda: (set_intra_op_threads(1), set_intra_op_threads(2))) == 2
assert numbers() == 3, "a new thread's, after a thread changed twice"
"""


def test_only_the_calling_thread_changes() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
