"""What options of several commands are, and how they are read."""

import argparse
import re
from pathlib import Path

from mpm_deploy.errors import InputError


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """Where an artifact runs."""
    parser.add_argument(
        "--device",
        type=device,
        metavar="cpu|cuda|cuda:1",
        help="default: what the artifact was built for",
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="threads of the model")


def add_stride_option(parser: argparse.ArgumentParser) -> None:
    """How densely windows lie."""
    parser.add_argument(
        "--stride",
        type=positive,
        metavar="PIXELS",
        help="from window to window, where these slide over images; default: the artifact's",
    )


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Which data set."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="its folder, or ade20k, cityscapes, pascal_context, pascal_context_59 or folder "
        "with --root",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="the folder its layout begins in")


def positive(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)


def positives(text: str) -> tuple[int, ...]:
    """Some of those, with commas between them."""
    return tuple(positive(part) for part in text.split(","))


def device(text: str) -> str:
    """As torch names one."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda or cuda:N, got {text!r}")
    return text


def check_can_write(target: Path | None) -> None:
    """Say now, not after minutes of work, that there is no such folder."""
    if target is not None and not target.parent.is_dir():
        raise InputError(f"{target}: cannot write there: no such folder", "make the folder first")
