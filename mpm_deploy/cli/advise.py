"""Implements ``mpm-deploy advise``, which finds the best way of merging within a limit."""

from __future__ import annotations

import argparse

from mpm_deploy.cli.console import (
    DONE,
    ERROR,
    say,
    show,
    status,
    talk,
    warn_of_doubts,
    warn_of_random,
)
from mpm_deploy.cli.sweep_options import add_sweep_options, chosen

HELP = "find the fastest way of merging that is accurate enough, by measuring"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument(
        "--max-drop",
        type=share,
        metavar="POINTS",
        help="the fastest that loses at most so many points of mIoU",
    )
    goal.add_argument(
        "--min-fps", type=above_zero, metavar="FPS", help="the most accurate that is so fast"
    )
    add_sweep_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure the variants that may be best, and print the recipe lines of the one that is."""
    what = chosen(arguments)
    from mpm_deploy.measure.search.advise import advise
    from mpm_deploy.measure.search.variants import recipe_lines
    from mpm_deploy.show.tables import advice_sentence, rows_table

    with status() as step:
        limits = {"max_drop": arguments.max_drop, "min_fps": arguments.min_fps}
        advice = advise(**what, **limits, progress=step)
    show(rows_table((advice.full_token, *advice.measured)))
    say(f"\n{advice_sentence(advice)}")
    if advice.subject.weights is None:
        warn_of_random("random")
    warn_of_doubts(advice.doubts)
    if advice.best is None:
        talk("nothing keeps this limit: ask for fewer FPS, a smaller model, or a faster machine")
        return ERROR
    say(f"\n{recipe_lines(advice.best.merge)}")
    return DONE


def share(text: str) -> float:
    """Parse a number of points from 0 to 100."""
    return _number(text, least=0.0, most=100.0)


def above_zero(text: str) -> float:
    """Parse a number above 0."""
    return _number(text, least=1e-6, most=1e9)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:g}: {text!r}")
    return number
