"""What the operating system refuses, each with its reason and a cure that fits it."""

import errno
import resource
import threading
from pathlib import Path

import pytest
import torch

from mpm_deploy.errors import HostError, ImageError, InputError
from mpm_deploy.images.decode import decode, find_images
from mpm_deploy.support.refusal import line_of, refusal, refusal_in, refusals_told


@pytest.mark.parametrize(
    ("number", "reason", "cure"),
    [
        (errno.EACCES, "Permission denied", "chmod"),
        (errno.EPERM, "Operation not permitted", "chmod"),
        (errno.EROFS, "Read-only file system", "a file system that may be written to"),
        (errno.ENOSPC, "No space left on device", "make room"),
        (errno.EDQUOT, "Disk quota exceeded", "make room"),
        (errno.EMFILE, "Too many open files", "ulimit -n"),
        (errno.EIO, "Input/output error", "copy it from elsewhere"),
        (errno.ESTALE, "Stale file handle", "mount it again"),
        (errno.ENOENT, "No such file or directory", "name another"),
        (errno.EISDIR, "Is a directory", "name another"),
    ],
)
def test_a_reason_has_its_own_cure_or_the_callers(number: int, reason: str, cure: str) -> None:
    error = refusal(InputError, "it: cannot be read", OSError(number, reason), "name another")
    assert error.problem == f"it: cannot be read: {reason}"
    assert cure in (error.hint or "")


@pytest.mark.parametrize(
    ("error", "problem", "cure"),
    [
        (MemoryError(), "short of memory: Cannot allocate memory", "smaller batches"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate\nmore"),
            "short of memory: [enforce fail] DefaultCPUAllocator: can't allocate",
            "smaller batches",
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), "CUDA out of memory.", "smaller batches"),
        (
            RuntimeError("Failed to allocate memory for requested buffer of size 9"),
            "short of memory: Failed to allocate memory for requested",
            "smaller batches",
        ),
        (
            RuntimeError("Error Code 2: OutOfMemory (Requested size was 99 bytes.)"),
            "short of memory: Error Code 2: OutOfMemory (Requested size was 99",
            "smaller batches",
        ),
        (RuntimeError("can't start new thread"), "can't start new thread", "--threads 1"),
        (
            RuntimeError("C++ compile error\ng++: File size limit exceeded signal terminated it"),
            "the operating system refused: C++ compile error",
            "ulimit -f",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "it"), "it: Permission", "chmod"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left", "make room"),
    ],
)
def test_what_other_exceptions_say_is_told(error: Exception, problem: str, cure: str) -> None:
    told = refusal_in(error)
    assert told is not None
    assert problem in told.problem
    assert cure in (told.hint or "")


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), KeyError("name"), OSError("cannot write mode F")]
)
def test_a_bug_is_no_refusal(error: Exception) -> None:
    assert refusal_in(error) is None
    with pytest.raises(type(error)), refusals_told():
        raise error


def test_torch_says_that_memory_is_short_in_the_words_that_are_known() -> None:
    with pytest.raises(HostError, match="short of memory"), refusals_told():
        torch.empty(1 << 60, dtype=torch.uint8)


def test_python_says_that_threads_are_short_in_the_words_that_are_known() -> None:
    before = threading.stack_size(1 << 46)  # more than there is
    try:
        with pytest.raises(HostError, match="short of threads"), refusals_told():
            threading.Thread(target=print).start()
    finally:
        threading.stack_size(before)


def test_too_many_open_files_name_their_limit(image_folder: Path) -> None:
    image = next(image_folder.iterdir())
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(ImageError, match="Too many open files") as caught:
            decode(image)
        with pytest.raises(InputError, match="Too many open files"):
            find_images(image_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "ulimit -n" in (caught.value.hint or "")


def test_a_circle_of_links_is_told(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(InputError, match="Too many levels of symbolic links") as caught:
        find_images(circle)
    assert "name the file itself" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("shapes differ\nException raised from x\nframe #0", "shapes differ"),
        (
            "The following operation failed in the TorchScript interpreter.\nTraceback:\n"
            "RuntimeError: shapes differ\n",
            "RuntimeError: shapes differ",
        ),
        ("", "RuntimeError"),
    ],
)
def test_what_an_exception_says_is_a_line(said: str, line: str) -> None:
    assert line_of(RuntimeError(said)) == line
