"""Turn what the operating system refuses into a sentence with a cure.

It is the only place that knows errno's numbers, and how torch and Python say that memory or threads
are short. `cpp_runner/support/refusal.cpp` says the same.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from mpm_deploy.errors import HostError, MpmError

Kind = TypeVar("Kind", bound=MpmError)

_PERMIT = "`namei -l` shows who may: change that with chmod or chown, or name another place"
_REMOUNT = "the network share is gone: mount it again, or name another place"
_WAIT = "another program or a mount holds it: name another place"
_CURES = {
    errno.EACCES: _PERMIT,
    errno.EPERM: _PERMIT,
    errno.EROFS: "name a place on a file system that may be written to",
    errno.ENOSPC: "make room (see `df -h` and `df -i`), or name a place on another disk",
    errno.EDQUOT: "your quota is used up: make room, or name a place on another disk",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f), or name a place on another disk",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "this machine has too many files open: end other programs",
    errno.ENOMEM: "end other programs, or take smaller batches: --batch 1",
    errno.EAGAIN: "raise the limit of threads (ulimit -u, or a container's pids), or use fewer: "
    "--threads 1",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.ELOOP: "its links lead in a circle: name the file itself",
    errno.EBUSY: _WAIT,
    errno.ETXTBSY: _WAIT,
    errno.EIO: "the disk or the network failed (see `dmesg`): copy it from elsewhere",
    errno.ESTALE: _REMOUNT,
    errno.ENOTCONN: _REMOUNT,
    errno.EHOSTDOWN: _REMOUNT,
    errno.ETIMEDOUT: _REMOUNT,
}

# What exceptions say that carry no number: torch's, Python's, and those that quote another.
_WORDS = {
    **{os.strerror(number): number for number in _CURES},
    "can't start new thread": errno.EAGAIN,
    "DefaultCPUAllocator": errno.ENOMEM,
    "out of memory": errno.ENOMEM,  # a GPU's
    "OutOfMemory": errno.ENOMEM,  # TensorRT's
    "Failed to allocate memory": errno.ENOMEM,  # ONNX Runtime's
    "failed to map segment": errno.ENOMEM,  # a library of torch's, as it is imported
    "File size limit exceeded": errno.EFBIG,  # a compiler that a signal ended
}

_SHORT = {
    errno.ENOMEM: "this machine is short of memory",
    errno.EAGAIN: "this machine is short of threads",
}


def refusal(kind: type[Kind], what: str, error: OSError, cure: str | None = None) -> Kind:
    """Make the error for what the operating system refused.

    Args:
        kind: The error's class.
        what: What it refused, as ``"a.pt: cannot be read"``.
        error: Why.
        cure: What helps where the reason tells no cure, as where nothing has that name.
    """
    return kind(f"{what}: {error.strerror or error}", _CURES.get(error.errno or 0, cure))


def refusal_in(error: BaseException) -> HostError | None:
    """Make the error for a refusal that another exception tells of, if it does."""
    number = error.errno if isinstance(error, OSError) else _number_in(error)
    if number is None:
        return None
    where = _SHORT.get(number, "the operating system refused")
    if isinstance(error, OSError):
        return refusal(HostError, str(error.filename or where), error)
    said = line_of(error) if str(error) else os.strerror(number)
    return refusal(HostError, where, OSError(number, said))


def line_of(error: BaseException) -> str:
    """Return what an exception says, in a line.

    Torch goes on with where it was raised. Of TorchScript the first line is of itself, and the last
    one what was raised.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if lines[0].endswith("TorchScript interpreter.") else lines[0]


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raise a `HostError` in place of an exception that tells of a refusal."""
    try:
        yield
    except (MemoryError, OSError, RuntimeError) as error:
        told = refusal_in(error)
        if told is None:
            raise
        raise told from error


def _number_in(error: BaseException) -> int | None:
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    said = str(error) if isinstance(error, RuntimeError | ImportError) else ""
    return next((number for words, number in _WORDS.items() if words in said), None)
