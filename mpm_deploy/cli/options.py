"""Defines the options that several commands share, and parses their values."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.errors import InputError
from mpm_deploy.recipe.paper import find_task
from mpm_deploy.run.source_options import SourceOptions

if TYPE_CHECKING:
    from mpm_deploy.recipe import Recipe


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to build."""
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_FILE", help="see `recipes`")
    parser.add_argument(
        "--model", metavar="M", help="its name or BACKBONE+HEAD, if not what the weights are for"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE|FOLDER|demo|demo_cts|random|timm:NAME",
        help="other weights, for the model they are for; random ones are for speed only",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="section.key=value",
        help="change a value of the recipe, or without one take the default; may be given again",
    )
    parser.set_defaults(task=None)


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe that those options name.

    Raises:
        RecipeError: No such recipe, or a value that is not allowed.
        ArtifactError: ``--recipe`` names an artifact that cannot be read.
    """
    from mpm_deploy.builder.recipes import as_recipe

    recipe = as_recipe(arguments.recipe)
    if arguments.weights is not None:
        recipe = recipe.with_weights(arguments.weights)
    if arguments.model is not None:
        recipe = recipe.with_model(arguments.model)
    task = () if arguments.task is None else find_task(arguments.task).overrides()
    return recipe.override(*task, *arguments.set)


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where an artifact runs."""
    parser.add_argument(
        "--device",
        type=device,
        metavar="cpu|cuda|cuda:1",
        help="where artifacts run; default: what they were built for",
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="threads of the model")


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many images are decoded at once."""
    parser.add_argument("--workers", type=positive, metavar="N", help="threads that decode images")


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add what names images, videos and cameras, and the options that say how to read them."""
    parser.add_argument(
        "sources",
        type=nonempty,
        nargs="+",
        metavar="SOURCE",
        help="images, folders of them, patterns, - for a list of paths on stdin; or one video, "
        "address (rtsp, rtmp, http, https) or camera (/dev/video0)",
    )
    parser.add_argument("--recursive", action="store_true", help="take folders in folders too")
    parser.add_argument(
        "--reconnect",
        type=whole,
        default=SourceOptions.reconnect,
        metavar="N",
        help="how often in a row to open a stream again that broke; default: %(default)s",
    )
    parser.add_argument(
        "--reconnect-wait",
        type=seconds,
        default=SourceOptions.reconnect_wait,
        metavar="SECONDS",
        help="the longest wait before that, from 1 second doubling; default: %(default)g",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=SourceOptions.timeout,
        metavar="SECONDS",
        help="a stream that gives nothing for that long broke; default: %(default)g",
    )


def add_max_pixels_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how large an image may be."""
    parser.add_argument(
        "--max-pixels",
        type=positive,
        metavar="N",
        help="skip images of more pixels; default: 128 million",
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says who may have signed an artifact."""
    parser.add_argument(
        "--trust",
        type=Path,
        metavar="KEYS",
        help="a public key, or a folder of them, that must have signed it; default: MPM_TRUST, or "
        "/etc/mpm-deploy/trusted-keys where that exists",
    )


def add_stride_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how far apart windows lie."""
    parser.add_argument(
        "--stride",
        type=positive,
        metavar="PIXELS",
        help="from window to window, where windows slide over images; default: the artifact's",
    )


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a data set."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="its folder, or ade20k, cityscapes, pascal_context, pascal_context_59 or folder "
        "with --root",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="the folder its layout begins in")


def nonempty(text: str) -> str:
    """Take any text but an empty one, as of a variable that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path or an address, got an empty one")
    return text


def seconds(text: str) -> float:
    """Parse a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, above 0, got {text!r}")
    return value


def whole(text: str) -> int:
    """Parse a whole number from 0 up."""
    return 0 if text == "0" else positive(text)


def positive(text: str) -> int:
    """Parse a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)


def positives(text: str) -> tuple[int, ...]:
    """Parse whole numbers from 1 up, with commas between them."""
    return tuple(positive(part) for part in text.split(","))


def device(text: str) -> str:
    """Check the name of a device, as a `Runner` takes it."""
    from mpm_deploy.artifact.host import parse_device

    try:
        parse_device(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(error.problem.removeprefix("device: ")) from error
    return text
