"""Implements ``mpm-deploy visualize``, which draws pictures of what an artifact does."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import (
    DONE,
    SKIPPED,
    progress,
    say,
    talk,
    warn_of_random,
    warn_of_skipped,
)
from mpm_deploy.cli.options import add_host_options, add_trust_option
from mpm_deploy.support.counting import counted

HELP = "draw what an artifact makes of images: labels, merged patches, differences, losses"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE_OR_FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="ARTIFACT",
        help="mark where this one, as the full-token model, sees other classes",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="true label maps, NAME.png each: with --against, draw where accuracy is lost",
    )
    parser.add_argument(
        "--pair",
        action="store_true",
        help="draw two images beside each other, as one scene by day and by night",
    )
    add_trust_option(parser)
    add_host_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw the pictures, and print where each one is."""
    from mpm_deploy.images.decode import find_images
    from mpm_deploy.show.gallery import make_gallery
    from mpm_deploy.show.tables import loss_summary

    images = [image for path in arguments.images for image in find_images(path)]
    with progress("images") as tell:
        gallery = make_gallery(
            arguments.artifact,
            images,
            arguments.output,
            against=arguments.against,
            labels=arguments.labels,
            pair=arguments.pair,
            device=arguments.device,
            threads=arguments.threads,
            trust=arguments.trust,
            progress=tell,
        )
    for pictured in gallery.images:
        say(*(arguments.output / picture.file for picture in pictured.pictures))
    for skipped in gallery.skipped:
        warn_of_skipped(skipped.path, skipped.reason)
    warn_of_random(gallery.artifact.weights)
    if gallery.loss:
        talk(loss_summary(gallery.loss))
    talk(f"pictures of {counted(len(gallery.images), 'image')} in {arguments.output}")
    return SKIPPED if gallery.skipped else DONE
