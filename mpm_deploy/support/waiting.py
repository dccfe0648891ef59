"""Let threads that wait for one another soon give their core to others."""

import os
import re
import sys
from pathlib import Path

# How often libgomp, which shares torch's operators out to threads, looks again before a thread that
# waits goes to sleep. Left alone it looks 300 000 times, which is 14 ms on an Intel processor:
# beside busy processes that burns the time which the others wait for, and a model takes up to 14
# times as long. To sleep at once would cost a third of the speed where nothing else runs. These are
# 1.4 ms: as fast there, and the most for a guest. AMD's figure is by the length of a look.
_LOOKS = {"GenuineIntel": "30000", "AuthenticAMD": "90000"}
_OF_USERS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_CPUINFO = Path("/proc/cpuinfo")


def wait_briefly(cpuinfo: Path = _CPUINFO) -> None:
    """Set how long threads wait awake, in the environment of this process and those it starts.

    It is for programs, before they import torch, with which libgomp is loaded and reads it; later
    this does nothing. Nor does it where the user has set ``GOMP_SPINCOUNT`` or
    ``OMP_WAIT_POLICY``, or on another kind of processor, whose looks are short.
    """
    if "torch" in sys.modules or not os.environ.keys().isdisjoint(_OF_USERS):
        return
    facts = cpuinfo.read_text() if cpuinfo.exists() else ""
    vendor = re.search(r"^vendor_id\s*: (.*)$", facts, re.MULTILINE)
    if vendor and vendor.group(1) in _LOOKS:
        os.environ["GOMP_SPINCOUNT"] = _LOOKS[vendor.group(1)]
