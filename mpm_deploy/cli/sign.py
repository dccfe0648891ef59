"""Implements ``mpm-deploy sign``, which vouches for an artifact."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, say

HELP = "sign an artifact, so that it runs where trust is asked"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="FILE")
    parser.add_argument(
        "--key",
        type=Path,
        required=True,
        metavar="KEY.pem",
        help="a private key: openssl genpkey -algorithm ed25519 -out KEY.pem",
    )


def run(arguments: argparse.Namespace) -> int:
    """Sign the artifact, and say with what key."""
    from mpm_deploy.artifact import sign_artifact

    key = sign_artifact(arguments.artifact, arguments.key)
    say(f"{arguments.artifact}: signed with key {key}")
    return DONE
