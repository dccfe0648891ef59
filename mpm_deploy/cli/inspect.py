"""Implements ``mpm-deploy inspect``, which prints an artifact's manifest."""

import argparse
import json
from pathlib import Path

from mpm_deploy.cli.console import DONE, say, show, warn_of_random

HELP = "say what an artifact is"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--json", action="store_true", help="the manifest as JSON")
    parser.add_argument(
        "--libtorch",
        metavar="VERSION",
        help="fail unless that libtorch has every operator of a .pt, as 2.6 of Debian 13",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the manifest."""
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.backends import get_backend
    from mpm_deploy.show.tables import manifest_table

    manifest = read_manifest(arguments.artifact)
    if arguments.libtorch:
        backend = get_backend(manifest.requires.backend)
        backend.require_libtorch(arguments.artifact, manifest, arguments.libtorch)
    if arguments.json:
        say(json.dumps(manifest.to_dict(), indent=2))
    else:
        show(manifest_table(manifest))
    warn_of_random(manifest.weights.origin)
    return DONE
