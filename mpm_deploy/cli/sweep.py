"""``mpm-deploy sweep``."""

from __future__ import annotations

import argparse

from mpm_deploy.cli.sweeping import add_sweep_options, plan
from mpm_deploy.cli.talk import DONE, SKIPPED, show, status, talk, warn_of_random

HELP = "measure ways of merging on this machine: accuracy and speed of each"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    add_sweep_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every variant, and print a row for each."""
    from mpm_deploy.measure.sweep import write_csv
    from mpm_deploy.measure.variants import name_of
    from mpm_deploy.tables import row_summary, sweep_remarks, sweep_table

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
    for remark in sweep_remarks(sweeper.sweep):
        print(remark)
    if sweeper.sweep.subject.weights is None:
        warn_of_random("random")
    return SKIPPED if sweeper.sweep.failures else DONE
