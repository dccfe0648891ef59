"""Implements ``mpm-deploy inspect``, which prints an artifact's manifest."""

import argparse
import json
from pathlib import Path

from mpm_deploy.cli.console import DONE, say, show, warn_of_random
from mpm_deploy.cli.options import add_trust_option
from mpm_deploy.errors import ArtifactError

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
    add_trust_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the manifest."""
    from mpm_deploy.artifact import asked_trust, read_manifest
    from mpm_deploy.backends import get_backend
    from mpm_deploy.show.tables import manifest_table

    # To look at its operators is to load the file, which runs what is in it.
    trust = asked_trust(arguments.trust) if arguments.libtorch else None
    manifest = read_manifest(arguments.artifact, trust)
    if arguments.libtorch:
        backend = get_backend(manifest.requires.backend)
        backend.require_libtorch(arguments.artifact, manifest, arguments.libtorch)
    if arguments.json:
        say(json.dumps(manifest.to_dict(), indent=2))
    else:
        show(manifest_table(manifest, _signature(arguments.artifact, arguments.trust)))
    warn_of_random(manifest.weights.origin)
    return DONE


def _signature(artifact: Path, trust: Path | None) -> str:
    """Say who has signed the artifact, as far as that is known."""
    from mpm_deploy.artifact import asked_trust, read_claimed_key, read_signer

    keys = asked_trust(trust)
    try:
        if keys is not None:
            signer = read_signer(artifact, keys)
            return f"by {signer.name}, trusted: key {signer.key}"
        key = read_claimed_key(artifact)
    except ArtifactError as error:
        return error.problem
    return "none" if key is None else f"not checked, as no trust is asked: key {key}"
