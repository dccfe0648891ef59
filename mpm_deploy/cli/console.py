"""Writes what the command line says: data to stdout, messages to stderr.

Only `say` and `show` reach stdout. What anybody else prints there, as oneDNN does where
``ONEDNN_VERBOSE`` is set, goes to stderr, so that data stay whole.

Names and other texts come from files of unknown origin: nothing in them that a terminal would obey
gets through, whoever prints them.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mpm_deploy.errors import MpmError
from mpm_deploy.support.quoting import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

    from mpm_deploy.measure.speed.report import HostInfo

DONE, ERROR, SKIPPED, INTERRUPTED = 0, 1, 3, 130  # exit codes; 2 is argparse's
_STDOUT, _STDERR = 1, 2  # descriptors


def open_streams() -> None:
    """Make stdout and stderr take whatever is printed, and give stdout a descriptor of its own.

    What their encoding cannot say becomes a question mark. One that is closed takes everything, and
    no file gets its number: what is said would go into that file. What C libraries print to
    stdout's number goes to stderr.
    """
    is_open = sys.stdout is not None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            setattr(sys, name, os.fdopen(null, mode))
    if is_open and _is_own(sys.stdout):
        kept = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
        sys.stdout = os.fdopen(kept, "w", encoding=sys.stdout.encoding)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def quiet_libraries() -> None:
    """Keep back what libraries warn of and is looked at here already, or means nothing.

    Of a processor other than a file was compiled for `artifact/host.py` judges, and Inductor warns;
    where CUDA is installed and there is no GPU a build for a CPU goes on.
    """
    for name in ("torch.export.pt2_archive._package", "torch.utils.cpp_extension"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _is_own(stdout: TextIO) -> bool:
    """Tell whether this is the process's stdout, not what somebody put in its place."""
    with suppress(OSError):
        return stdout.fileno() == _STDOUT
    return False


class _Stdout:
    """Holds where data go while `sys.stdout` is what libraries print to, and whether they do."""

    kept: TextIO | None = None
    is_read = True


@contextmanager
def stdout_kept_for_data() -> Iterator[None]:
    """Have only `say` and `show` write to stdout; what is printed meanwhile goes to stderr."""
    _Stdout.kept, _Stdout.is_read = sys.stdout, True
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _Stdout.kept = None


def data_stream() -> TextIO:
    """Return the stream that data go to: stdout."""
    return _Stdout.kept or sys.stdout


def stdout_is_read() -> bool:
    """Tell whether stdout still takes data: its reader may have seen enough, and gone."""
    return _Stdout.is_read


@contextmanager
def _printing() -> Iterator[None]:
    """Tell why stdout cannot be written; that its reader has seen enough is no error."""
    try:
        yield
    except OSError as error:
        discard(data_stream())
        _Stdout.is_read = False
        if not isinstance(error, BrokenPipeError):
            raise MpmError(
                f"stdout: cannot write there: {error.strerror}",
                "send it where there is room; files that were asked for are written",
            ) from error


def say(*lines: object) -> None:
    """Print lines of data to stdout.

    Raises:
        MpmError: stdout cannot be written, as on a full disk.
    """
    _print(*(printable(str(line)) for line in lines))


@_printing()
def _print(*lines: str) -> None:
    for line in lines:
        print(line, file=data_stream())
    data_stream().flush()


@_printing()
def show(table: Table) -> None:
    """Print a table to stdout, as wide as it needs where stdout is no terminal.

    Raises:
        MpmError: stdout cannot be written.
    """
    from rich.console import Console
    from rich.measure import Measurement

    # No markup: "[/]" is a name like any other.
    console = Console(file=data_stream(), markup=False, emoji=False)
    if not console.is_terminal:
        widest = console.options.update(width=10_000)
        console.width = Measurement.get(console, widest, table).maximum
    with console.capture() as captured:  # rich itself would exit at a closed pipe
        console.print(_Printable(table), crop=False)
    _print(captured.get().removesuffix("\n"))


class _Printable:
    """A table of which a terminal obeys rich's own colors, and nothing in the cells."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._table, options):
            yield segment._replace(text=printable(segment.text))


def talk(message: str) -> None:
    """Print a line to stderr; where nobody can be told, the work goes on."""
    try:
        print(printable(message), file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Let a stream that failed take everything, also what it still holds."""
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), stream.fileno())


def fail(problem: str, hint: str | None) -> int:
    """Print an error and its hint to stderr, and return the exit code."""
    talk(f"error: {problem}")
    if hint:
        talk(f"  hint: {hint}")
    return ERROR


def warn_of_skipped(path: object, reason: str) -> None:
    """Report one image that could not be used."""
    talk(f"skipped {path}: {reason}")


def warn_of_random(*weights: str) -> None:
    """Warn where the weights are random: speed is never shown without saying so."""
    if "random" in weights:
        from mpm_deploy.show.tables import RANDOM_WEIGHTS

        talk(RANDOM_WEIGHTS)


def warn_of_plain_label_maps(host: HostInfo) -> None:
    """Warn where what was timed on a CPU made its label maps without the native library."""
    from mpm_deploy.ops.label_map import native

    if host.python and host.gpu is None and not native.available():
        talk("label maps took longer than they need: `mpm-deploy doctor` says why, and the cure")


def warn_of_doubts(doubts: Sequence[str]) -> None:
    """Report what is likely to be a mistake in the data that accuracy was measured on."""
    for doubt in doubts:
        talk(f"warning: {doubt}")


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write a JSON file; it appears whole or not at all."""
    from mpm_deploy.support.files import written_atomically

    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """Show a spinner with the current step; nothing where stderr is no terminal."""
    from rich.console import Console

    console = Console(stderr=True, markup=False, emoji=False)
    with console.status("") as status:
        yield lambda step: status.update(printable(step))


@contextmanager
def progress(unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar on stderr, which is told what is done and what there is in all, if
    that is known; nothing where stderr is no terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), unit, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
