"""Implements ``mpm-deploy profile``, which finds where an artifact's time goes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import (
    DONE,
    SKIPPED,
    say,
    show,
    status,
    talk,
    warn_of_plain_label_maps,
    warn_of_random,
    warn_of_skipped,
    write_json,
)
from mpm_deploy.cli.options import add_host_options, add_trust_option, positive
from mpm_deploy.support.files import check_can_write

if TYPE_CHECKING:
    from mpm_deploy.measure.profile.profile import Profile

HELP = "say where the time goes: the artifact's stages, and the parts of its eager model"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--against", type=Path, metavar="ARTIFACT", help="the full-token one, for its stages"
    )
    parser.add_argument(
        "--break-even",
        action="store_true",
        help="look for the token count from which merging pays: a minute",
    )
    parser.add_argument(
        "--limit", type=positive, default=16, metavar="N", help="first N images (default 16)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the profile")
    add_trust_option(parser)
    add_host_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Profile the artifact, and print the tables."""
    check_can_write(arguments.json, begins=b"{")
    from mpm_deploy.measure.profile.profile import profile

    with status() as step:
        found = profile(
            arguments.artifact,
            arguments.folder,
            against=arguments.against,
            limit=arguments.limit,
            break_even=arguments.break_even,
            device=arguments.device,
            threads=arguments.threads,
            trust=arguments.trust,
            progress=step,
        )
    if arguments.json:
        write_json(arguments.json, found.to_dict())
    _show_profile(found)
    return SKIPPED if found.skipped else DONE


def _show_profile(profile: Profile) -> None:
    from mpm_deploy.show.tables import (
        break_even_sentence,
        break_even_table,
        parts_table,
        stages_table,
    )

    say(f"{profile.artifact.path}: its stages, milliseconds an image")
    show(stages_table(profile))
    if any(stage.source == "eager" for stage in profile.stages):
        say("\nthe eager model of its recipe, milliseconds an image; compiled code has no parts")
        show(parts_table(profile))
    for even in profile.break_even:
        say(f"\nbatch {even.batch_size}: {break_even_sentence(even)}")
        show(break_even_table(even))
    warn_of_random(profile.artifact.weights)
    warn_of_plain_label_maps(profile.host)
    for remark in profile.remarks:
        talk(remark)
    for skipped in profile.skipped:
        warn_of_skipped(skipped.path, skipped.reason)
