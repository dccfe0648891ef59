"""Implements ``mpm-deploy sweep``, which measures many ways of merging."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import (
    DONE,
    SKIPPED,
    say,
    show,
    status,
    talk,
    warn_of_doubts,
    warn_of_plain_label_maps,
    warn_of_random,
)
from mpm_deploy.cli.sweep_options import add_sweep_options, chosen
from mpm_deploy.errors import MissingPackageError

if TYPE_CHECKING:
    from mpm_deploy.measure.search.sweep import Sweep, SweepRow
    from mpm_deploy.recipe import MergeRecipe

HELP = "measure ways of merging on this machine: accuracy and speed of each"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_sweep_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every variant, and print a row for each."""
    what = chosen(arguments)
    from mpm_deploy.measure.search.plan import sweep
    from mpm_deploy.show.tables import skipped_table, sweep_remarks, sweep_table

    with status() as step:
        found = sweep(**what, progress=step, on_row=_tell)
    _draw(found, arguments.output)
    if found.skipped():
        show(skipped_table(found))
        say("")
    show(sweep_table(found))
    say("", *sweep_remarks(found))
    if found.subject.weights is None:
        warn_of_random("random")
    warn_of_plain_label_maps(found.host)
    warn_of_doubts(found.doubts)
    return SKIPPED if found.failures else DONE


def _tell(done: int, total: int, merge: MergeRecipe, row: SweepRow | None) -> None:
    from mpm_deploy.measure.search.variants import name_of
    from mpm_deploy.show.tables import row_summary

    told = f"{name_of(merge)}: cannot be built" if row is None else row_summary(row)
    talk(f"{done}/{total} {told}")


def _draw(sweep: Sweep, folder: Path) -> None:
    """Draw the plot of a sweep; where drawing fails, the hours of measuring are not lost."""
    from mpm_deploy.show.charts import standalone
    from mpm_deploy.show.page.sweep import sweep_chart
    from mpm_deploy.support.files import written_atomically

    try:
        svg = standalone(sweep_chart(sweep))
    except MissingPackageError as error:
        talk(f"no plot: {error.problem}: {error.hint}")
        return
    with written_atomically(folder / "sweep.svg") as temporary:
        temporary.write_text(svg, encoding="utf-8")
    talk(f"{folder}: sweep.json, sweep.csv, sweep.svg")
