"""Implements ``mpm-deploy serve``, which answers the clients of others over HTTP and gRPC."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import DONE, talk, warn_of_random
from mpm_deploy.cli.options import (
    add_host_options,
    add_max_pixels_option,
    add_stride_option,
    add_trust_option,
    positive,
)
from mpm_deploy.errors import InputError
from mpm_deploy.serve.settings import Settings

if TYPE_CHECKING:
    from mpm_deploy.run.runner import Runner
    from mpm_deploy.serve.server import Ports

HELP = "serve artifacts over HTTP and gRPC, in the Open Inference Protocol (KServe V2)"
_USUAL = Settings()
_NAME = re.compile(r"[\w.-]+", re.ASCII)  # as it stands in an address
_STOPPING = (signal.SIGINT, signal.SIGTERM)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "artifacts",
        type=_artifact,
        nargs="+",
        metavar="ARTIFACT|NAME=ARTIFACT",
        help="a model each, named by its file unless named here",
    )
    _add_listening_options(parser)
    _add_bounds(parser)
    add_max_pixels_option(parser)
    add_stride_option(parser)
    add_trust_option(parser)
    add_host_options(parser)


def _add_listening_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default=_USUAL.host, help="where to listen; 0.0.0.0: everywhere (default: here)"
    )
    for option, usual, protocol in (
        ("--port", _USUAL.port, "HTTP"),
        ("--grpc-port", _USUAL.grpc_port, "gRPC"),
    ):
        parser.add_argument(
            option,
            type=_port,
            default=usual,
            metavar="N",
            help=f"of {protocol} (default %(default)s; 0: any)",
        )


def _add_bounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--queue",
        type=positive,
        default=_USUAL.places,
        metavar="N",
        help="images in the server at once; past them requests get 429 (default %(default)s)",
    )
    parser.add_argument(
        "--max-request",
        type=positive,
        default=_USUAL.max_bytes >> 20,
        metavar="MIB",
        help="the largest request (default %(default)s)",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help="images a call of the model, of those that wait; default: one a thread, of a GPU the "
        "artifact's most",
    )
    parser.add_argument(
        "--grace",
        type=positive,
        default=_USUAL.grace,
        metavar="SECONDS",
        help="for requests in hand when it is stopped (default %(default)g)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C, and finish what was begun."""
    from mpm_deploy.serve.packages import check_packages

    check_packages()
    from mpm_deploy.run.runner import Runner

    with ExitStack() as stack:
        runners = {
            name: stack.enter_context(
                Runner(
                    artifact,
                    device=arguments.device,
                    threads=arguments.threads,
                    stride=arguments.stride,
                    max_pixels=arguments.max_pixels,
                    trust=arguments.trust,
                )
            )
            for name, artifact in _by_name(arguments.artifacts).items()
        }
        warn_of_random(*(runner.manifest.weights.origin for runner in runners.values()))
        asyncio.run(_serve(runners, arguments))
    return DONE


async def _serve(runners: Mapping[str, Runner], arguments: argparse.Namespace) -> None:
    from mpm_deploy.serve.listener import address_of
    from mpm_deploy.serve.server import serve

    settings = Settings(
        host=arguments.host,
        port=arguments.port,
        grpc_port=arguments.grpc_port,
        places=arguments.queue,
        max_bytes=arguments.max_request << 20,
        batch=arguments.batch,
        grace=arguments.grace,
    )
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end(*_: object) -> None:
        if not loop.is_closed():  # a later signal has nothing to end
            loop.call_soon_threadsafe(stop.set)

    def started(ports: Ports) -> None:
        rest, grpc = (address_of(settings.host, port) for port in ports)
        talk(f"serving {', '.join(runners)} at http://{rest}, gRPC at {grpc}")

    for number in _STOPPING:  # from here on a signal is how it ends, and no interruption
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    refused = await serve(runners, settings, stop, started)
    cut_off = f"not done in time, and refused: {refused} of the requests that were begun"
    talk(f"stopped; {cut_off if refused else 'what was begun is finished'}")


def _artifact(text: str) -> tuple[str, Path]:
    """Parse ``FILE`` or ``NAME=FILE``."""
    name, separator, path = text.partition("=")
    named = bool(separator) and not Path(text).exists()
    name, path = (name, path) if named else (Path(text).stem, text)
    if not path:
        raise argparse.ArgumentTypeError("expected a path, got an empty one")
    if not _NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(
            f"{name!r} cannot stand in an address: name it with letters and digits, NAME={path}"
        )
    return name, Path(path)


def _by_name(artifacts: list[tuple[str, Path]]) -> dict[str, Path]:
    by_name: dict[str, Path] = {}
    for name, artifact in artifacts:
        if name in by_name:
            raise InputError(
                f"{by_name[name]} and {artifact}: expected names that differ, got {name} for both",
                f"name one of them: OTHER={artifact}",
            )
        by_name[name] = artifact
    return by_name


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)
