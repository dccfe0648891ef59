"""Implements ``mpm-deploy verify``, which checks who has signed an artifact and opens nothing."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, say
from mpm_deploy.cli.options import add_trust_option
from mpm_deploy.errors import InputError

HELP = "check that a trusted key has signed an artifact"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="FILE")
    add_trust_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Say who has signed the artifact; it is an error if that is nobody who is trusted."""
    from mpm_deploy.artifact import asked_trust, read_signer

    trust = asked_trust(arguments.trust)
    if trust is None:
        raise InputError(
            "expected keys to trust, got none", "name them: --trust KEYS, or MPM_TRUST=KEYS"
        )
    signer = read_signer(arguments.artifact, trust)
    say(f"{arguments.artifact}: signed by {signer.name}, key {signer.key}")
    return DONE
