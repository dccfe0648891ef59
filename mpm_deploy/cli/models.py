"""Implements ``mpm-deploy models``, which lists the models."""

import argparse

from mpm_deploy.cli.console import DONE, show

HELP = "list the models, and which are in the paper's tables"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--paper", action="store_true", help="the rows of the paper's tables, and how to build each"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the models, or the rows of the paper's tables."""
    from mpm_deploy.models.summary import model_facts
    from mpm_deploy.recipe.model_names import MODELS
    from mpm_deploy.recipe.paper import ROWS, find_task
    from mpm_deploy.show.tables import models_table, paper_table

    if not arguments.paper:
        show(models_table(map(model_facts, MODELS)))
        return DONE
    tasks = ((row, find_task(row.dataset)) for row in ROWS)
    show(
        paper_table(
            (row, task, model_facts(row.model, task.image_size, task.classes))
            for row, task in tasks
        )
    )
    return DONE
