"""``mpm-deploy doctor``."""

import argparse

from mpm_deploy.cli.talk import DONE, show, status

HELP = "say what this machine can build and run, and the cure for the rest"


def add_options(_: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace) -> int:
    """Look, and print what was found."""
    with status() as step:
        step("looking at this machine")
        from mpm_deploy.doctor import examine
        from mpm_deploy.tables import findings_table

        findings = list(examine())
    show(findings_table(findings))
    return DONE
