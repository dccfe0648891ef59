"""``mpm-deploy build``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.options import check_can_write
from mpm_deploy.cli.talk import DONE, status, warn_of_random
from mpm_deploy.paper import find_task

if TYPE_CHECKING:
    from mpm_deploy.recipe import Recipe

HELP = "compile a recipe into one file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_FILE", help="see `recipes`")
    parser.add_argument("--model", metavar="M", help="the model's name, if not the weights'")
    parser.add_argument(
        "--dataset",
        metavar="ade20k|pascal_context|cityscapes",
        help="input size and classes as in the paper on that data set",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE|demo|random|timm:NAME",
        help="other weights, for the model they are for; random ones are for speed only",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="section.key=value",
        help="change a value of the recipe; may be given again",
    )
    parser.add_argument("--full-token", action="store_true", help="the same model without merging")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: segmenter.pt or segmenter.pt2, here",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build, and print the path of the artifact."""
    recipe = _recipe_of(arguments)
    check_can_write(arguments.output)
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.build import build

    with status() as step:
        path = build(recipe, arguments.output, progress=step)
    print(path)
    warn_of_random(read_manifest(path).weights.origin)
    return DONE


def _recipe_of(arguments: argparse.Namespace) -> Recipe:
    from mpm_deploy.recipe import Recipe, load_recipe

    if Path(arguments.recipe).suffix in (".pt", ".pt2"):  # an artifact holds its recipe
        from mpm_deploy.artifact import read_manifest

        recipe = Recipe.from_dict(read_manifest(arguments.recipe).recipe)
    else:
        recipe = load_recipe(arguments.recipe)
    if arguments.weights is not None:
        recipe = recipe.with_weights(arguments.weights)
    # A JSON string is a TOML string too.
    model = [] if arguments.model is None else [f"model.name={json.dumps(arguments.model)}"]
    task = () if arguments.dataset is None else find_task(arguments.dataset).overrides()
    recipe = recipe.override(*model, *task, *arguments.set)
    return recipe.full_token() if arguments.full_token else recipe
