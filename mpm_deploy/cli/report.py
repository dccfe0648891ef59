"""``mpm-deploy report``."""

import argparse
from pathlib import Path

from mpm_deploy.cli.options import check_can_write
from mpm_deploy.cli.talk import DONE, talk

HELP = "make one page of reports, evaluations and pictures, to open in a browser"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="JSON",
        help="what --json of bench, cpp_runner or eval wrote, or pictures.json of visualize",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="a folder that visualize wrote, or any PNGs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and say where."""
    check_can_write(arguments.output)
    from mpm_deploy.page import read_documents, write_page

    write_page(read_documents(arguments.files, arguments.pictures), arguments.output)
    talk(f"wrote {arguments.output}")
    return DONE
