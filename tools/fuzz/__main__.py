"""Fuzzes the readers of both languages, and prints what was executed and what went wrong."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tools.fuzz import differential, libfuzzer, python_readers
from tools.fuzz.findings import Budget, Findings, table_of
from tools.fuzz.formats import FORMATS
from tools.fuzz.make_corpus import make_corpus

WORK = Path("build/fuzz")
FAULTS = WORK / "faults"

Fuzzer = Callable[[Budget, int], Findings]


def fuzzers() -> dict[str, Fuzzer]:
    """Return everything there is to run, by its name."""
    every: dict[str, Fuzzer] = {}
    for target in libfuzzer.TARGETS:
        every[f"libfuzzer:{target}"] = partial(
            libfuzzer.fuzz, target, WORK, FAULTS / f"libfuzzer-{target}"
        )
    for name, format in FORMATS.items():
        every[f"python:{name}"] = partial(python_readers.fuzz, format, FAULTS / f"python-{name}")
    for name, format in FORMATS.items():
        if format.driver:
            folder = FAULTS / f"differential-{name}"
            every[f"differential:{name}"] = partial(differential.fuzz, format, folder)
    return every


def chosen(names: list[str], parser: argparse.ArgumentParser) -> list[str]:
    """Return the fuzzers that are asked for and can be run here."""
    every = [*fuzzers()]
    for name in names:
        if not any(each.startswith(name) for each in every):
            parser.error(f"{name}: expected one of {', '.join(every)}, or how some of them begin")
    wanted = [each for each in every if not names or each.startswith(tuple(names))]
    if any(each.startswith("libfuzzer:") for each in wanted):
        if libfuzzer.is_possible():
            libfuzzer.build()
        else:
            print("libFuzzer's targets are skipped: there is no clang++ with libFuzzer", end="")
            print(" (Debian: apt-get install clang)")
            wanted = [each for each in wanted if not each.startswith("libfuzzer:")]
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="as libfuzzer:png or differential")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--seconds", type=float, help="for all of them together")
    budget.add_argument("--count", type=int, help="executions of each")
    parser.add_argument("--seed", type=int, default=0, help="other inputs for another one")
    arguments = parser.parse_args()
    names = chosen(arguments.names, parser)
    make_corpus(WORK / "corpus")
    seconds = arguments.seconds / len(names) if arguments.seconds and names else None
    findings = []
    for name in names:
        findings.append(fuzzers()[name](Budget(seconds, arguments.count), arguments.seed))
        print(f"{name}: {findings[-1].executions:,} executed", file=sys.stderr)
    print(table_of(findings))
    sys.exit(1 if any(each.kinds for each in findings) else 0)


if __name__ == "__main__":
    main()
