"""Watch how much of the time on its cores a process has to leave to others."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from mpm_deploy.support.cores import throttled_periods

_STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Contention:
    """What held a process back over a stretch of time.

    Attributes:
        others_cores: Cores that others kept busy, of those that the process may use.
        interruptions: Times a second that a thread lost its core before it had to wait.
        throttled: Times a second that a quota ran out.
    """

    others_cores: float
    interruptions: float
    throttled: float


@dataclass(frozen=True)
class _Counts:
    """What was counted until now; times are in seconds."""

    clock: float
    others: float
    interruptions: int
    throttled: int

    @classmethod
    def now(cls) -> "_Counts":
        own = resource.getrusage(resource.RUSAGE_SELF)
        return cls(
            clock=time.monotonic(),
            others=busy_seconds() - own.ru_utime - own.ru_stime,
            interruptions=own.ru_nivcsw,
            throttled=throttled_periods(),
        )


class ContentionWatch:
    """Watches from when it is made, or was read."""

    def __init__(self) -> None:
        self._begin = _Counts.now()

    def read(self) -> Contention:
        """Return what held this process back since then."""
        begin, end = self._begin, _Counts.now()
        self._begin = end
        seconds = end.clock - begin.clock
        return Contention(
            others_cores=max(0.0, (end.others - begin.others) / seconds),
            interruptions=(end.interruptions - begin.interruptions) / seconds,
            throttled=(end.throttled - begin.throttled) / seconds,
        )


def busy_seconds(stat: Path = _STAT) -> float:
    """Return how long the cores that this process may use were busy, since the machine started.

    What another virtual machine took of them counts too. 0 where nothing tells.
    """
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    ticks = 0
    for line in stat.read_text().splitlines() if stat.exists() else ():
        name, *fields = line.split()
        if name in cores:
            user, nice, system, _idle, _waiting, interrupt, soft_interrupt, steal, *_ = map(
                int, fields
            )
            ticks += user + nice + system + interrupt + soft_interrupt + steal
    return ticks / os.sysconf("SC_CLK_TCK")
