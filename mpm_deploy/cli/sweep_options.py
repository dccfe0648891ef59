"""Defines the options that ``mpm-deploy sweep`` and ``advise`` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mpm_deploy.cli.options import (
    add_dataset_options,
    add_host_options,
    add_recipe_options,
    positive,
    recipe_of,
)
from mpm_deploy.measure.search.settings import BUILDS, Settings


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to build, on which images, and where to keep the results."""
    add_recipe_options(parser)
    add_dataset_options(parser)
    _add_variants(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("sweep"),
        metavar="DIR",
        help="keeps every row, and goes on from it when called again (default: sweep)",
    )
    _add_settings(parser)
    add_host_options(parser)


def _add_variants(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method",
        action="append",
        default=[],
        metavar="mpm|tome:ratio=R|algm:threshold=T|cts:shared=N",
        help="default mpm; may be given again",
    )
    parser.add_argument(
        "--schedule",
        action="append",
        type=schedule,
        default=[],
        metavar="2,5",
        help="blocks to merge at; may be given again; default: one to four of a few early ones and "
        "each other alone, of which those are built that a first look finds worth it",
    )
    parser.add_argument(
        "--builds",
        type=positive,
        default=BUILDS,
        metavar="N",
        help="the most of these that are worth a build, spread over their FLOPs (default "
        "%(default)s)",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="accuracy on the first N images"
    )
    parser.add_argument(
        "--timed",
        type=positive,
        default=Settings.timed,
        metavar="N",
        help="speed on the first N of these (default %(default)s)",
    )
    parser.add_argument(
        "--batch", type=positive, default=Settings.batch_size, metavar="B", help="images a call"
    )
    parser.add_argument(
        "--repeats",
        type=positive,
        default=Settings.repeats,
        metavar="R",
        help="turns of each artifact with the full-token one (default %(default)s)",
    )


def schedule(text: str) -> tuple[int, ...]:
    """Parse a schedule: block numbers with commas between them."""
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected blocks from 0 up, as in 2,5; got {text!r}")
    return tuple(map(int, parts))


def chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what those options say, as `mpm_deploy.sweep` and `mpm_deploy.advise` take it.

    Raises:
        RecipeError: No such recipe, or a value that is not allowed.
        ArtifactError: ``--recipe`` names an artifact that cannot be read.
    """
    return {
        "recipe": recipe_of(arguments),
        "dataset": arguments.dataset,
        "root": arguments.root,
        "methods": arguments.method or ("mpm",),
        "schedules": arguments.schedule,
        "builds": arguments.builds,
        "output": arguments.output,
        "limit": arguments.limit,
        "timed": arguments.timed,
        "batch_size": arguments.batch,
        "repeats": arguments.repeats,
        "device": arguments.device,
        "threads": arguments.threads,
    }
