"""Fuzz Python's readers: anything but an `MpmError` is a fault, so is taking long or much memory.

A child process reads; its parent sees it die or hang, says so, and has another one go on.
"""

import multiprocessing
import resource
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mpm_deploy.errors import MpmError
from tools.fuzz.findings import Budget, Findings
from tools.fuzz.formats import Format

MOST_SECONDS = 10.0
MOST_BYTES = 1 << 30  # three images of the largest size fit in it
ADDRESS_SPACE = 8 << 30  # what is beyond it is a MemoryError, and the machine lives on

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
    until = None if budget.seconds is None else started + budget.seconds
    fault_of(format, format.seeds[0])  # imports once what all children need
    while budget.count is None or findings.executions < budget.count:
        with _reading(format, seed, findings.executions, budget.count) as (child, progress, faults):
            ended = _watch(child, progress, faults, until, format, findings, seed)
        if ended:
            break
    findings.seconds = time.monotonic() - started
    return findings


def _watch(
    child: Any,
    progress: Any,
    faults: Connection,
    until: float | None,
    format: Format,
    findings: Findings,
    seed: int,
) -> bool:
    """Follow one child; return whether fuzzing is over, as it is not where the child broke."""
    moved, last = time.monotonic(), progress.value
    while True:
        alive = child.is_alive()
        while faults.poll(0.1):
            try:
                index, kind = faults.recv()
            except EOFError:
                break
            findings.add(kind, format.input(seed, index), _shows(format, kind))
            moved = time.monotonic()
        findings.executions = progress.value
        if progress.value != last:
            moved, last = time.monotonic(), progress.value
        if not alive and child.exitcode == 0:
            return True
        hangs = time.monotonic() - moved > 3 * MOST_SECONDS
        if not alive or hangs:
            kind = "hangs" if hangs else f"the process ends with {child.exitcode}"
            findings.add(kind, format.input(seed, progress.value))
            findings.executions = progress.value + 1
            return False
        if until is not None and time.monotonic() > until:
            return True


@contextmanager
def _reading(
    format: Format, seed: int, first: int, count: int | None
) -> Iterator[tuple[Any, Any, Connection]]:
    progress = _PROCESSES.Value("q", first, lock=False)
    faults, told = _PROCESSES.Pipe(duplex=False)
    child = _PROCESSES.Process(target=_read_all, args=(format, seed, first, count, progress, told))
    child.start()
    told.close()
    try:
        yield child, progress, faults
    finally:
        child.kill()
        child.join()


def _read_all(
    format: Format, seed: int, first: int, count: int | None, progress: Any, told: Connection
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + ADDRESS_SPACE,) * 2)
    index = first
    while count is None or index < count:
        if kind := fault_of(format, format.input(seed, index)):
            told.send((index, kind))
        index += 1
        progress.value = index


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


def _memory_from_now_on() -> int:
    """Have the system forget the peak of this process's memory, and return what it is now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_memory()


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
