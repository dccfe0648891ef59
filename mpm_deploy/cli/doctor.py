"""Implements ``mpm-deploy doctor``, which checks what this machine can build and run."""

import argparse

from mpm_deploy.cli.console import DONE, show, status

HELP = "say what this machine can build and run, and the cure for the rest"


def add_options(_: argparse.ArgumentParser) -> None:
    """Add nothing: this command has no options."""


def run(_: argparse.Namespace) -> int:
    """Examine the machine, and print what was found."""
    with status() as step:
        step("looking at this machine")
        from mpm_deploy.builder.doctor import examine
        from mpm_deploy.show.tables import findings_table

        findings = list(examine())
    show(findings_table(findings))
    return DONE
