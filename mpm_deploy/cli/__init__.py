"""Runs the command line: ``mpm-deploy convert | build | inspect | run | bench | eval | ...``.

One module a command, and one line in `families.COMMANDS`: its HELP, which options it adds to its
parser, and how it runs. A command without help is not listed. Nothing but these modules prints.
Exit codes: 0 done, 1 an error with its hint, 2 wrong usage, 3 done but some images were skipped,
130 interrupted by Ctrl-C (SIGINT), 143 by SIGTERM, 129 by SIGHUP. A full stdout is an error; one
whose reader has seen enough is none. A command says its data by `console.say`; what is printed goes
to stderr.

argparse, not a framework: it costs no import time and no dependency, and exits 2 by itself. Each
command imports what it needs when it runs, so that ``--help`` need not wait for torch.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mpm_deploy import __version__
from mpm_deploy.cli.console import (
    INTERRUPTED,
    data_stream,
    fail,
    open_streams,
    quiet_libraries,
    say,
    stdout_kept_for_data,
    talk,
)
from mpm_deploy.cli.signals import Interruption
from mpm_deploy.errors import MpmError
from mpm_deploy.families import COMMANDS
from mpm_deploy.support.family import nearest
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal_in


class _Parser(argparse.ArgumentParser):
    """Prints as every command does; argparse itself takes no notice of a full stdout.

    An empty name of a file, as of a variable that is not set, is no path.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("type", Path, _path)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a command that there is none of, naming those that are listed."""
        if not isinstance(action, argparse._SubParsersAction) or value in COMMANDS:
            return super()._check_value(action, value)
        listed = [name for name, module in COMMANDS.items() if module.HELP is not None]
        near = nearest(value, listed)
        problem = f"expected one of {', '.join(listed)}, got {shown(value)}"
        raise argparse.ArgumentError(action, problem + (f"; {near}" if near else ""))

    def _print_message(self, message: str, file: Any = None) -> None:
        (say if file is data_stream() else talk)(message.removesuffix("\n"))


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a path, got an empty one")
    return Path(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; ``argv`` is without the program's name."""
    open_streams()
    quiet_libraries()
    with Interruption() as interruption:
        code = _run(argv)
    return interruption.exit_code or code


def _run(argv: Sequence[str] | None) -> int:
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser().parse_args(argv)
        with stdout_kept_for_data():
            code: int = arguments.command(arguments)
    except MpmError as error:
        return fail(error.problem, error.hint)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the last stop: nobody should meet a traceback
        if debug:
            raise
        refused = refusal_in(error)
        if refused is not None:
            return fail(refused.problem, refused.hint)
        problem = f"this is a bug in mpm-deploy: {type(error).__name__}: {error}"
        return fail(problem, "run it as `mpm-deploy --debug ...`, and please report what it prints")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mpm-deploy",
        description="Token-merged ViT segmentation models: from a recipe to one file, to FPS.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mpm-deploy {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a bug")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        _add(commands, name, module)
    return parser


def _add(commands: "argparse._SubParsersAction[_Parser]", name: str, module: ModuleType) -> None:
    listed = {} if module.HELP is None else {"help": module.HELP, "description": module.HELP}
    parser = commands.add_parser(name, allow_abbrev=False, **listed)
    module.add_options(parser)
    parser.set_defaults(command=module.run)
