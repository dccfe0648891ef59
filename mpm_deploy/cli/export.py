"""Implements ``mpm-deploy export``, which writes an artifact as servers of others take it."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, say, status, talk
from mpm_deploy.cli.options import add_trust_option

HELP = "write an artifact as a model of NVIDIA's Triton Inference Server"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("server", choices=["triton"], help="whose model it becomes")
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="MODEL_REPOSITORY",
        help="the folder of the server's models, there or new",
    )
    parser.add_argument("--name", help="the model's; default: the artifact's file without suffix")
    add_trust_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the model, print its folder, and say how it was compared and what nobody has tried."""
    from mpm_deploy.builder.triton_server import export_to_triton

    with status() as step:
        made = export_to_triton(
            arguments.artifact,
            arguments.output,
            name=arguments.name,
            progress=step,
            trust=arguments.trust,
        )
    say(made.folder)
    talk(f"labels equal to the artifact's on {made.images} images: {made.labels:.4%}")
    talk(
        "torch's own loader runs it; no server has been tried. Its torch should be the one that "
        f"compiled this, {made.torch}"
    )
    return DONE
