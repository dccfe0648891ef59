"""``mpm-deploy models``."""

import argparse

from mpm_deploy.cli.talk import DONE, show

HELP = "list the models, and which are in the paper's tables"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument(
        "--paper", action="store_true", help="the rows of the paper's tables, and how to build each"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    from mpm_deploy.models.facts import model_facts
    from mpm_deploy.models.zoo import MODELS
    from mpm_deploy.paper import ROWS, find_task
    from mpm_deploy.tables import models_table, paper_table

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
