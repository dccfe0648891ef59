"""``mpm-deploy recipes``."""

import argparse

from mpm_deploy.cli.talk import DONE, show

HELP = "list the built-in recipes"


def add_options(_: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace) -> int:
    """Print them."""
    from mpm_deploy.recipe import builtin_recipes
    from mpm_deploy.tables import recipes_table

    show(recipes_table(builtin_recipes()))
    return DONE
