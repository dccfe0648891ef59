"""Fuzz Python's readers: anything but an `MpmError` is a fault, so is taking long or much memory.

A child process reads; its parent sees it die or hang, says so, and has another one go on.
"""

import ctypes
import gc
import multiprocessing
import re
import resource
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mpm_deploy.errors import MpmError
from tools.fuzz.findings import Budget, Findings
from tools.fuzz.formats import Format

MOST_SECONDS = 10.0
MOST_BYTES = 1 << 30  # three images of the largest size fit in it
ADDRESS_SPACE = 8 << 30  # what is beyond it is a MemoryError, and the machine lives on

_MOMENT = 0.1  # seconds
_PROCESSES = multiprocessing.get_context("fork")  # torch is imported once


def fault_of(format: Format, data: bytes) -> str | None:
    """Read an input and return what kind of fault that showed; None for none."""
    file = format.pack(data)
    started, memory = time.monotonic(), _memory_from_now_on()
    try:
        format.read(file)
    except MpmError:
        pass
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return _kind_of(error)
    if time.monotonic() - started > MOST_SECONDS:
        return f"takes more than {MOST_SECONDS:.0f} s"
    if _peak_memory() - memory > MOST_BYTES:
        return f"takes more than {MOST_BYTES >> 20} MB"
    return None


def fuzz(format: Format, folder: Path, budget: Budget, seed: int) -> Findings:
    """Read mutated inputs until the budget is spent."""
    findings = Findings(f"python:{format.name}", folder)
    started = time.monotonic()
    until = started + budget.seconds if budget.seconds is not None else float("inf")
    fault_of(format, format.seeds[0])  # imports once what all children need
    broke: str | None = "not begun"
    while broke and findings.executions != budget.count:
        with closing(_Child(format, seed, findings.executions, budget.count)) as child:
            broke = _follow(child, findings, until)
            findings.executions = child.executions
        if broke:
            findings.add(broke, format.input(seed, findings.executions))
            findings.executions += 1
    findings.seconds = time.monotonic() - started
    return findings


class _Child:
    """A process that reads the inputs of a seed, from one on, and tells of faults."""

    def __init__(self, format: Format, seed: int, first: int, count: int | None) -> None:
        self.format, self.seed = format, seed
        self._progress = _PROCESSES.Value("q", first, lock=False)
        self._faults, told = _PROCESSES.Pipe(duplex=False)
        arguments = (format, seed, count, self._progress, told)
        self._process = _PROCESSES.Process(target=_read_all, args=arguments)
        self._process.start()
        told.close()

    @property
    def executions(self) -> int:
        """How many inputs were read, those of earlier children too."""
        return int(self._progress.value)

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it lives."""
        return self._process.exitcode

    def faults(self) -> Iterator[tuple[int, str]]:
        """Yield the number of an input and the kind of its fault, of those told in a moment."""
        with suppress(EOFError):
            while self._faults.poll(_MOMENT):
                yield self._faults.recv()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()


def _follow(child: _Child, findings: Findings, until: float) -> str | None:
    """Take what a child tells until all is read or time is up; return how it broke, if it did."""
    moved, last = time.monotonic(), -1
    while time.monotonic() < until:
        exit_code = child.exit_code  # before its last words
        for index, kind in child.faults():
            findings.add(kind, child.format.input(child.seed, index), _shows(child.format, kind))
        if exit_code is not None:
            return f"the process ends with {exit_code}" if exit_code else None
        if child.executions != last:
            moved, last = time.monotonic(), child.executions
        elif time.monotonic() - moved > 3 * MOST_SECONDS:
            return "hangs"
    return None


def _read_all(
    format: Format, seed: int, count: int | None, progress: Any, told: Connection
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + ADDRESS_SPACE,) * 2)
    _give_back_memory()
    while progress.value != count:
        if kind := fault_of(format, format.input(seed, progress.value)):
            told.send((progress.value, kind))
        progress.value += 1


def _shows(format: Format, kind: str) -> Any:
    if kind.startswith("takes"):
        return None  # too dear to try
    return lambda data: fault_of(format, data) == kind


def _kind_of(error: Exception) -> str:
    """Name a fault by where this package let it through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "mpm_deploy" in Path(frame.filename).parts]
    if not own:
        return f"{type(error).__name__} in the harness: {error}"
    path = "/".join(Path(own[-1].filename).parts[-2:])
    return f"{type(error).__name__} in {path}, {own[-1].name}"


def _give_back_memory() -> None:
    """Give the system what the parent had and freed: a read that used it again would take none."""
    gc.collect()
    with suppress(AttributeError):  # glibc's alone
        ctypes.CDLL(None).malloc_trim(0)


def _memory_from_now_on() -> int:
    """Have the system forget the peak of this process's memory, and return what it is now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_memory()


def _peak_memory() -> int:
    # Not getrusage's, which remembers the peak of what this process was before it became Python.
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) << 10


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
