"""``mpm-deploy inspect``."""

import argparse
import json
from pathlib import Path

from mpm_deploy.cli.talk import DONE, show, warn_of_random

HELP = "say what an artifact is"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--json", action="store_true", help="the manifest as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the manifest."""
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.tables import manifest_table

    manifest = read_manifest(arguments.artifact)
    if arguments.json:
        print(json.dumps(manifest.to_dict(), indent=2))
    else:
        show(manifest_table(manifest))
    warn_of_random(manifest.weights.origin)
    return DONE
