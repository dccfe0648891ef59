"""Implements ``mpm-deploy sweep``, which measures many ways of merging."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import DONE, SKIPPED, show, status, talk, warn_of_random
from mpm_deploy.cli.sweep_options import add_sweep_options, plan
from mpm_deploy.errors import MissingPackageError

if TYPE_CHECKING:
    from mpm_deploy.measure.search.sweep import Sweep

HELP = "measure ways of merging on this machine: accuracy and speed of each"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_sweep_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every variant, and print a row for each."""
    from mpm_deploy.measure.search.sweep import write_csv
    from mpm_deploy.measure.search.variants import name_of
    from mpm_deploy.show.tables import row_summary, sweep_remarks, sweep_table

    with status() as step:
        planned = plan(arguments, step)
        sweeper = planned.sweeper
        for number, merge in enumerate(planned.variants, start=1):
            row = sweeper.measure(merge)
            told = f"{name_of(merge)}: cannot be built" if row is None else row_summary(row)
            talk(f"{number}/{len(planned.variants)} {told}")
            write_csv(arguments.output / "sweep.csv", sweeper.sweep)
    show(sweep_table(sweeper.sweep))
    print()
    _draw(sweeper.sweep, arguments.output)
    for remark in sweep_remarks(sweeper.sweep):
        print(remark)
    if sweeper.sweep.subject.weights is None:
        warn_of_random("random")
    return SKIPPED if sweeper.sweep.failures else DONE


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
