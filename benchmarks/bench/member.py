"""Defines a member of the bench: something that is measured, by a command of its own."""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console, RenderableType

import mpm_deploy
from benchmarks.bench.tables import WIDE
from benchmarks.record import write_result
from mpm_deploy.ops.label_map import native


class Finding(NamedTuple):
    """Holds the contents of a record as far as it is measured, and what to print of them."""

    record: dict[str, Any]
    shown: Sequence[RenderableType]


@dataclass(frozen=True)
class Member:
    """Something that is measured.

    Attributes:
        name: The name on the command line.
        about: What is measured, in a few words.
        measure: Yields a finding whenever there is something new; a later one holds the earlier.
        add_options: Adds the options that `measure` reads.
        record: The name of the record's file, where it is not the member's name.
        needs: Packages that must be installed, and programs that must be there.
    """

    name: str
    about: str
    measure: Callable[[argparse.Namespace], Iterator[Finding]]
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    record: str = ""
    needs: tuple[str | Path, ...] = ()

    def run(self, words: Sequence[str] | None = None) -> None:
        """Measure, print and keep; ``words`` are the command line's, None is this process's own.

        Raises:
            SystemExit: Something that it needs is missing, or the native library, without which
                figures would be of label maps that no user gets.
        """
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}",
            description=sys.modules[self.measure.__module__].__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--dry", action="store_true", help="write no result")
        self.add_options(parser)
        options = parser.parse_args(words)
        missing = missing_of(self.needs)
        if missing:
            parser.error(f"not here: {', '.join(missing)}")
        if not native.available():
            parser.error(
                f"{Path(mpm_deploy.__file__).parent}: its native library is not here, without "
                "which label maps take longer; pip install --editable . makes it"
            )
        console = Console(width=WIDE, highlight=False, markup=False)
        for finding in self.measure(options):
            for each in finding.shown:
                console.print(each)
            if not options.dry:
                write_result(self.record or self.name, finding.record)


def missing_of(needs: Sequence[str | Path]) -> list[str]:
    """Return those packages that are not installed, and those programs that are not there."""
    return [
        str(need)
        for need in needs
        if not (shutil.which(need) if isinstance(need, Path) else find_spec(need))
    ]
