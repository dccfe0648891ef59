"""A signal ends either program: what is finished is whole, nothing else is left, no traceback."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.parity.conftest import PYTHON

SECONDS = 120


@pytest.fixture
def many_images(image_folder: Path, tmp_path: Path) -> Path:
    """More images than are done before a signal comes."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number:04}.jpg").symlink_to(image_folder / "image_0.jpg")
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """What the programs take for the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _ignoring_none() -> Iterator[None]:
    """A program ignores what the shell of its test ignores, as one does in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(
    words: list[object], temporary: Path, when: Callable[[int], bool], numbers: list[int]
) -> tuple[int, str]:
    """Start a program, send it signals, and return its exit code and what it says on stderr.

    It leads a session of its own, in which no process must be left. ``when`` is told its id.
    """
    process = subprocess.Popen(
        [str(word) for word in words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    wait_until(lambda: when(process.pid) or process.poll() is not None)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.01)
    _, errors = process.communicate(timeout=SECONDS)
    wait_until(lambda: not processes_of(process.pid))
    return process.returncode, errors


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def processes_of(session: int) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it is gone
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(folder.name)
    return found


@pytest.mark.parametrize(
    ("numbers", "code"), [([signal.SIGTERM], 143), ([signal.SIGINT] * 10, 130)], ids=["TERM", "INT"]
)
def test_run_keeps_whole_label_maps_and_nothing_else(
    command: list[str],
    numbers: list[int],
    code: int,
    artifact: Path,
    many_images: Path,
    temporary: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    words = [*command, "run", artifact, many_images, "-o", out]
    third = out / "0002.png"
    assert interrupt(words, temporary, lambda _: third.exists(), numbers) == (code, "")
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"{number:04}.png" for number in range(len(names))]
    assert 3 <= len(names) < 2000
    for name in names:
        with Image.open(out / name) as picture:
            picture.load()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("program", ["python", "cpp"])
def test_bench_ends_its_workers(
    program: str,
    artifact: Path,
    many_images: Path,
    temporary: Path,
    request: pytest.FixtureRequest,
) -> None:
    options = ["--program", *request.getfixturevalue("cpp_command")] if program == "cpp" else []
    words = [*PYTHON, "bench", artifact, many_images, "--batch", 1, *options]
    numbers = [signal.SIGTERM] * 3
    has_worker = lambda bench: len(processes_of(bench)) > 1  # noqa: E731
    assert interrupt(words, temporary, has_worker, numbers) == (143, "")
    assert not list(temporary.iterdir())
