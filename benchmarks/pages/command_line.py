"""Writes the page on every command, from ``--help``."""

import argparse
import os
import sys
from pathlib import Path
from unittest import mock

from benchmarks.bench.tables import indented
from benchmarks.record import ROOT
from mpm_deploy.families import COMMANDS

PAGE = ROOT / "docs" / "cli.md"
# Whose --help is written down: argparse's own words change with Python's version.
PYTHONS = ((3, 11), (3, 12))
INTRODUCTION = """# Every command

As each says of itself with `--help`. Data goes to stdout, talk to stderr, and with it what
libraries print, as oneDNN does where `ONEDNN_VERBOSE` is set.

| exit code | means |
|---|---|
| 0 | done |
| 1 | an error, said in one sentence with its cure |
| 2 | wrong usage |
| 3 | done, but some images were skipped; each is named |
| 130, 143, 129 | ended by a signal: Ctrl-C (SIGINT), SIGTERM, SIGHUP |

Files are written before anything is printed, and where they go is tried before the work begins. A
full stdout is an error; one whose reader has seen enough is none, and what its encoding cannot say
becomes a question mark. At a signal, what is finished is kept and whole: label maps, rows of a
sweep, the state of an evaluation; what was made for a time goes. `build/cpp_runner` does the same,
with the same exit codes.

**End-to-end FPS** counts from image files on disk to label maps in host memory, **model FPS** from
input tensors to scores. Each artifact is timed in a process of its own, the two in turns; no image
comes twice in a pass; and every speed ratio stands beside the FLOP ratio at the tokens kept, which
is what it could be (`docs/formats/report.md`).

`build/cpp_runner` has the commands `run` and `bench` in C++, with a `--help` of their own;
`build/cpp_runner ARTIFACT FOLDER` is short for `bench`, and with `--output DIR` for `run`.
"""


def pages() -> dict[Path, str]:
    """Return the page, where Python writes help texts as that page has them."""
    return {PAGE: page()} if sys.version_info[:2] in PYTHONS else {}


def page() -> str:
    """Write the help text of each command."""
    texts = [INTRODUCTION]
    with mock.patch.dict(os.environ, COLUMNS="100"):
        for name, module in COMMANDS.items():
            if module.HELP is not None:
                parser = argparse.ArgumentParser(
                    prog=f"mpm-deploy {name}", description=module.HELP, allow_abbrev=False
                )
                module.add_options(parser)
                texts.append(f"## {name}\n\n{indented(parser.format_help())}")
    return "\n".join(texts)
