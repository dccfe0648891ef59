"""Defines what ``mpm-deploy sweep`` and ``advise`` share: the options, and the plan
made from them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mpm_deploy.cli.options import (
    add_dataset_options,
    add_host_options,
    add_recipe_options,
    positive,
    recipe_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mpm_deploy.measure.accuracy.datasets import Dataset
    from mpm_deploy.measure.search.sweep import Truth
    from mpm_deploy.measure.search.sweeper import Sweeper
    from mpm_deploy.recipe import MergeRecipe, Recipe


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to build, on which images, and where to keep the results."""
    add_recipe_options(parser)
    add_dataset_options(parser)
    parser.add_argument(
        "--method",
        action="append",
        default=[],
        metavar="mpm|tome:ratio=R|algm:threshold=T",
        help="default mpm; may be given again",
    )
    parser.add_argument(
        "--schedule",
        action="append",
        type=schedule,
        default=[],
        metavar="2,5",
        help="blocks to merge at; may be given again; default: each alone, and pairs of a few",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("sweep"),
        metavar="DIR",
        help="keeps every row, and goes on from it when called again (default: sweep)",
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="accuracy on the first N images"
    )
    parser.add_argument(
        "--timed", type=positive, default=32, metavar="N", help="speed on the first N (default 32)"
    )
    parser.add_argument("--batch", type=positive, default=1, metavar="B", help="images a call")
    parser.add_argument(
        "--repeats",
        type=positive,
        default=3,
        metavar="R",
        help="turns of each artifact with the full-token one (default 3)",
    )
    add_host_options(parser)


def schedule(text: str) -> tuple[int, ...]:
    """Parse a schedule: block numbers with commas between them."""
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected blocks from 0 up, as in 2,5; got {text!r}")
    return tuple(map(int, parts))


class Plan(NamedTuple):
    """The measurements to make, checked as far as possible before anything is built."""

    recipe: Recipe
    variants: list[MergeRecipe]
    dataset: Dataset
    sweeper: Sweeper


def plan(arguments: argparse.Namespace, say: Callable[[str], None]) -> Plan:
    """Check the options, and measure the full-token model unless that is done.

    Raises:
        MpmError: Something cannot be built or measured; it is found before hours are lost.
    """
    recipe = recipe_of(arguments)
    from mpm_deploy.builder.build import make_model
    from mpm_deploy.measure.search.sweep import Settings
    from mpm_deploy.measure.search.sweeper import Sweeper
    from mpm_deploy.measure.search.variants import all_variants

    model, weights = make_model(recipe.full_token())
    depth = model.encoder.config.depth
    variants = all_variants(recipe, depth, arguments.method or ["mpm"], arguments.schedule)
    dataset, truth = _open_dataset(arguments, recipe, say)
    settings = Settings(
        limit=arguments.limit,
        timed=arguments.timed,
        batch_size=arguments.batch,
        repeats=arguments.repeats,
        device=arguments.device,
        threads=arguments.threads,
    )
    output = arguments.output
    sweeper = Sweeper(recipe, weights.sha256, dataset, truth, output, settings, say)
    return Plan(recipe, variants, dataset, sweeper)


def _open_dataset(
    arguments: argparse.Namespace, recipe: Recipe, say: Callable[[str], None]
) -> tuple[Dataset, Truth]:
    """Open the data set, or make one of a folder of images without label maps, labeled by the
    full-token model.
    """
    from mpm_deploy.images.decode import has_images
    from mpm_deploy.measure.accuracy.datasets import open_dataset

    folder = Path(arguments.dataset)
    if arguments.root is not None or not has_images(folder):
        return open_dataset(arguments.dataset, arguments.root), "labels"
    from mpm_deploy.measure.search.own_labels import label_images
    from mpm_deploy.measure.search.sweeper import full_token_artifact

    artifact = full_token_artifact(recipe, arguments.output, say)
    dataset = label_images(
        artifact,
        folder,
        arguments.output / "full_token_labels",
        limit=arguments.limit,
        device=arguments.device,
        threads=arguments.threads,
        progress=lambda done, total: say(f"full-token: labels of image {done}/{total}"),
    )
    return dataset, "full_token"
