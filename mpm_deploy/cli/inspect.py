"""Implements ``mpm-deploy inspect``, which prints an artifact's manifest."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import DONE, say, show, talk, warn_of_random
from mpm_deploy.cli.options import add_trust_option
from mpm_deploy.errors import ArtifactError

if TYPE_CHECKING:
    from mpm_deploy.artifact import Manifest

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
        show(manifest_table(manifest, _signature(arguments.artifact, arguments.trust)))
    warn_of_random(manifest.weights.origin)
    _tell_of_newer_torch(arguments.artifact, manifest)
    return DONE


def _tell_of_newer_torch(path: Path, manifest: "Manifest") -> None:
    """Say where the artifact would be faster if a newer torch had built it."""
    from mpm_deploy.families import BACKENDS

    requires = manifest.requires
    built_with = requires.versions.get("torch")
    if built_with is None or requires.backend not in BACKENDS:
        return
    newer = BACKENDS[requires.backend]().faster_torch(requires.device, built_with)
    if newer is not None:
        talk(
            f"note: torch {newer} or newer builds a faster file than torch {built_with} did: "
            f"pip install 'torch>={newer}', then mpm-deploy build --recipe {path} -o {path.name}"
        )


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
