"""What runs and builds need of a machine besides packages, and the cure where it is short."""

import os
import re
import resource
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from mpm_deploy.errors import MpmError
from mpm_deploy.support.temporary_folder import check_temporary_folder

Found = tuple[str, str | None]  # in words, and the cure where something is missing

_GIB = 1 << 30
_ROOM = 2 * _GIB  # an artifact of the largest model in float32, and what its build writes
_MEMORY = _GIB  # torch itself and a small model
_MEMORY_CURE = "end other programs, raise the container's limit or ulimit -v, or take --batch 1"
_THREADS_CURE = "raise the limit of threads: ulimit -u, or the container's pids; or --threads 1"


def examine_temporary_folder() -> Found:
    """Look whether an artifact can be unpacked and run there, by Python and by C++."""
    try:
        folder = check_temporary_folder(_ROOM, for_code=True)
    except MpmError as error:
        return error.problem.removeprefix("temporary folder").lstrip(": "), error.hint
    return f"{folder}, {_gib(shutil.disk_usage(folder).free)} free, code may run", None


def examine_threads(wanted: int) -> Found:
    """Start so many threads at once, and end them."""
    leave = threading.Event()
    threads = [threading.Thread(target=leave.wait) for _ in range(wanted)]
    started = 0
    with suppress(RuntimeError):  # can't start new thread
        for thread in threads:
            thread.start()
            started += 1
    leave.set()
    for thread in threads[:started]:
        thread.join()
    if started < wanted:
        return f"{started} of {wanted} can be started", _THREADS_CURE
    return f"{wanted} can be started", None


def examine_memory() -> Found:
    """Tell how much there is to have: of the machine, its container and this process."""
    free = min(_limits_of_memory())
    return f"{_gib(free)} available", None if free >= _MEMORY else _MEMORY_CURE


def examine_cache(variable: str, folder: Path) -> Found:
    """Look whether a cache can be written, or the folder made that it would lie in.

    Args:
        variable: What names another folder.
        folder: Where the cache lies if the environment does not say.
    """
    folder = Path(os.environ.get(variable) or folder)
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return str(folder), None
    return f"{folder}: cannot be written", f"name another folder: {variable}=/var/tmp/cache"


def inductor_cache() -> Path:
    """Return where Inductor keeps what it compiled; empty it to have everything compiled anew."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    with suppress(FileNotFoundError):  # no usable temporary folder
        return Path(default_cache_dir())
    return Path("/tmp/torchinductor")


def _limits_of_memory() -> list[int]:
    """Return how many bytes each that sets a limit still gives."""
    limits = [
        int(kib) << 10
        for kib in re.findall(r"^MemAvailable:\s*(\d+)", _text("/proc/meminfo"), re.MULTILINE)
    ]
    group = "/sys/fs/cgroup/memory"
    most, used = _text(f"{group}.max"), _text(f"{group}.current")
    if most.isdigit() and used.isdigit():
        limits.append(int(most) - int(used))
    most_of_process, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most_of_process != resource.RLIM_INFINITY:
        pages = _text("/proc/self/statm").split()[0]
        limits.append(most_of_process - int(pages) * resource.getpagesize())
    return limits


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text().strip()
    return ""


def _gib(count: int) -> str:
    return f"{count / _GIB:.1f} GiB"
