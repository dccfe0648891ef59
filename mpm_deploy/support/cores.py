"""Count the cores that this process may use: often fewer than the machine has.

affinity mask     which cores: taskset, the cpuset of a container
control groups    how much of their time: the quota of the process's group, and of all above
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")


def cores_of_affinity() -> int:
    """Return how many cores the process's affinity mask has."""
    return len(os.sched_getaffinity(0))


def available_cores(root: Path = _ROOT) -> int:
    """Return how many cores this process can keep busy, at least 1.

    These are the cores of its affinity mask, or fewer where a control group has a quota, of which a
    part of a core counts as one. What cannot be read is no quota.

    Args:
        root: Where ``proc`` and the mounts of control groups are looked for.
    """
    cores = cores_of_affinity()
    quota = min(map(_quota, _control_groups(root)), default=math.inf)
    return max(1, math.ceil(min(cores, quota)))


def throttled_periods(root: Path = _ROOT) -> int:
    """Return in how many periods so far a quota ran out, and this process's group had to wait."""
    return sum(map(_throttled, _control_groups(root)))


def _control_groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the groups that rule this process's time on CPUs, the topmost first."""
    own: dict[str, PurePosixPath] = {}  # by controller, of version 2 by ""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), PurePosixPath(path))
    for line in _read(root / "proc/self/mountinfo").splitlines():
        mount, _, file_system = line.partition(" - ")
        top, point = mount.split()[3:5]
        kind, *_, options = file_system.split()
        controller = {"cgroup": "cpu", "cgroup2": ""}.get(kind)
        if controller not in own or (controller and controller not in options.split(",")):
            continue
        group = own[controller]
        # A container may see its own group alone, mounted as if it were the topmost.
        below = group.relative_to(top).parts if group.is_relative_to(top) else ()
        for depth in range(len(below) + 1):
            yield root.joinpath(point.lstrip("/"), *below[:depth])


def _quota(group: Path) -> float:
    """Return the cores' worth of time that a group may use; infinity without a quota."""
    files = (group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us")  # of version 1
    words = (_read(group / "cpu.max") or " ".join(map(_read, files))).split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # "max", "-1"
        return math.inf
    return int(words[0]) / int(words[1])


def _throttled(group: Path) -> int:
    facts = dict(line.split() for line in _read(group / "cpu.stat").splitlines())
    return int(facts.get("nr_throttled", 0))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
