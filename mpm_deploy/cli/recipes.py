"""Implements ``mpm-deploy recipes``, which lists the built-in recipes."""

import argparse

from mpm_deploy.cli.console import DONE, show

HELP = "list the built-in recipes"


def add_options(_: argparse.ArgumentParser) -> None:
    """Add nothing: this command has no options."""


def run(_: argparse.Namespace) -> int:
    """Print the recipes."""
    from mpm_deploy.recipe import builtin_recipes
    from mpm_deploy.show.tables import recipes_table

    show(recipes_table(builtin_recipes()))
    return DONE
