"""Implements ``mpm-deploy run``, which writes the label maps of images, and their scores."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import DONE, SKIPPED, progress, talk, warn_of_random, warn_of_skipped
from mpm_deploy.cli.options import (
    add_host_options,
    add_max_pixels_option,
    add_stride_option,
    add_trust_option,
    positive,
)
from mpm_deploy.errors import InputError
from mpm_deploy.support.files import check_output_folder, make_folder

if TYPE_CHECKING:
    from mpm_deploy.run.label_maps import Color
    from mpm_deploy.run.results import Result

HELP = "write a label map for each image"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE_OR_FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="images or windows a call"
    )
    parser.add_argument(
        "--scores", action="store_true", help="write class scores too, beside each label map"
    )
    add_max_pixels_option(parser)
    add_stride_option(parser)
    add_trust_option(parser)
    add_host_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the label maps, and say how many."""
    from mpm_deploy.images.decode import find_images
    from mpm_deploy.run.label_maps import label_map_names
    from mpm_deploy.run.outputs import LABELS
    from mpm_deploy.run.runner import Runner

    check_output_folder(arguments.output, arguments.images)
    images = [image for path in arguments.images for image in find_images(path)]
    targets = [arguments.output / name for name in label_map_names(images)]
    _check_keeps_inputs(images, targets)
    outputs = (*LABELS, "scores") if arguments.scores else LABELS
    skipped = 0
    with (
        Runner(
            arguments.artifact,
            device=arguments.device,
            threads=arguments.threads,
            stride=arguments.stride,
            max_pixels=arguments.max_pixels,
            trust=arguments.trust,
        ) as runner,
        progress("images") as tell,
        closing(runner.run(images, batch_size=arguments.batch, outputs=outputs)) as results,
    ):
        make_folder(arguments.output)
        palette = runner.manifest.model.palette
        outcomes = zip(images, targets, results, strict=True)
        for done, (image, target, result) in enumerate(outcomes, start=1):
            reason = _write(result, target, palette) if result.ok else result.reason
            if reason is not None:
                warn_of_skipped(image, reason)
                skipped += 1
            tell(done, len(images))
        warn_of_random(runner.manifest.weights.origin)
    talk(f"{len(images) - skipped} label maps in {arguments.output}")
    return SKIPPED if skipped else DONE


def _write(result: Result, target: Path, palette: Sequence[Color]) -> str | None:
    """Write what was made of an image; return why that could not be done, if so."""
    from mpm_deploy.run.label_maps import write_label_map, write_scores

    try:
        write_label_map(target, result.labels, palette)
        if "scores" in result.outputs:
            write_scores(target.with_suffix(".npy"), result.scores)
    except InputError as error:
        return error.problem
    return None


def _check_keeps_inputs(images: Sequence[Path], targets: Sequence[Path]) -> None:
    inputs = {os.path.realpath(image) for image in images}
    for target in targets:
        if os.path.realpath(target) in inputs:
            raise InputError(
                f"{target}: this label map would overwrite an input image",
                "name another folder for the label maps",
            )
