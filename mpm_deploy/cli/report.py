"""Implements ``mpm-deploy report``, which writes an HTML page of results."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, talk
from mpm_deploy.support.files import check_can_write

HELP = "make one page of what was measured and drawn, to open in a browser"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="JSON",
        help="what --json of bench, cpp_runner, eval or profile wrote, sweep.json of sweep, or "
        "pictures.json of visualize",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="a folder that visualize wrote, or any PNGs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and say where it is."""
    check_can_write(arguments.output, begins=b"<")
    from mpm_deploy.show.page import read_documents, write_page

    write_page(read_documents(arguments.files, arguments.pictures), arguments.output)
    talk(f"wrote {arguments.output}")
    return DONE
