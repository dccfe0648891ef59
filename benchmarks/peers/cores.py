"""How many images go side by side."""

import os


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
