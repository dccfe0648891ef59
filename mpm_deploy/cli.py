"""The command line: ``mpm-deploy recipes | build | inspect | run | bench | doctor``.

The only module that prints: data to stdout, talk to stderr. Exit codes: 0 done, 1 an error with its
hint, 2 wrong usage, 3 done but some images were skipped, 130 interrupted.

argparse, not a framework: it costs no import time and no dependency, and exits 2 by itself. Each
command imports what it needs when it runs, so that ``--help`` need not wait for torch.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpm_deploy import __version__
from mpm_deploy.errors import InputError, MpmError

if TYPE_CHECKING:
    from rich.table import Table

    from mpm_deploy.recipe import Recipe
    from mpm_deploy.report import Report

_DONE, _ERROR, _SKIPPED, _INTERRUPTED = 0, 1, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; ``argv`` is without the program's name. Returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except MpmError as error:
        return _fail(error.problem, error.hint)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough; nor flush it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE
    except Exception as error:  # the last stop: nobody should meet a traceback
        if arguments.debug:
            raise
        problem = f"this is a bug in mpm-deploy: {type(error).__name__}: {error}"
        return _fail(
            problem, "run it as `mpm-deploy --debug ...`, and please report what it prints"
        )
    return code


def _recipes(_: argparse.Namespace) -> int:
    from mpm_deploy.recipe import builtin_recipes
    from mpm_deploy.tables import recipes_table

    _show(recipes_table(builtin_recipes()))
    return _DONE


def _build(arguments: argparse.Namespace) -> int:
    recipe = _recipe_of(arguments)
    _check_can_write(arguments.output)
    from mpm_deploy.build import build

    with _status() as step:
        path = build(recipe, arguments.output, progress=step)
    print(path)
    _warn_of_random(recipe.model.weights)
    return _DONE


def _recipe_of(arguments: argparse.Namespace) -> Recipe:
    from mpm_deploy.recipe import Recipe, load_recipe

    if Path(arguments.recipe).suffix in (".pt", ".pt2"):  # an artifact holds its recipe
        from mpm_deploy.artifact import read_manifest

        recipe = Recipe.from_dict(read_manifest(arguments.recipe).recipe)
    else:
        recipe = load_recipe(arguments.recipe)
    named = {"model.name": arguments.model, "model.weights": arguments.weights}
    # A JSON string is a TOML string too.
    chosen = [
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in named.items()
        if value is not None
    ]
    recipe = recipe.override(*chosen, *arguments.set)
    return recipe.full_token() if arguments.full_token else recipe


def _inspect(arguments: argparse.Namespace) -> int:
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.tables import manifest_table

    manifest = read_manifest(arguments.artifact)
    if arguments.json:
        print(json.dumps(manifest.to_dict(), indent=2))
    else:
        _show(manifest_table(manifest))
    _warn_of_random(manifest.weights.origin)
    return _DONE


def _run(arguments: argparse.Namespace) -> int:
    from mpm_deploy.images import find_images
    from mpm_deploy.label_maps import label_map_names, write_label_map
    from mpm_deploy.results import Skipped
    from mpm_deploy.runner import Runner

    images = [image for path in arguments.images for image in find_images(path)]
    names = label_map_names(images)
    folder = arguments.output
    _check_keeps_inputs(images, [folder / name for name in names])
    skipped = 0
    with (
        Runner(arguments.artifact, device=arguments.device, threads=arguments.threads) as runner,
        _progress("images") as progress,
    ):
        _make_folder(folder)
        palette = runner.manifest.model.palette
        outcomes = runner.run(images, batch_size=arguments.batch)
        for done, (name, outcome) in enumerate(zip(names, outcomes, strict=True), start=1):
            if isinstance(outcome, Skipped):
                _warn_of_skipped(outcome.path, outcome.reason)
                skipped += 1
            else:
                write_label_map(folder / name, outcome.labels, palette)
            progress(done, len(images))
        _warn_of_random(runner.manifest.weights.origin)
    _talk(f"{len(images) - skipped} label maps in {folder}")
    return _SKIPPED if skipped else _DONE


def _check_can_write(target: Path | None) -> None:
    """Say now, not after minutes of work, that there is no such folder."""
    if target is not None and not target.parent.is_dir():
        raise InputError(f"{target}: cannot write there: no such folder", "make the folder first")


def _check_keeps_inputs(images: Sequence[Path], targets: Sequence[Path]) -> None:
    inputs = {image.resolve() for image in images}
    for target in targets:
        if target.resolve() in inputs:
            raise InputError(
                f"{target}: this label map would overwrite an input image",
                "name another folder for the label maps",
            )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder: {error.strerror}") from error


def _bench(arguments: argparse.Namespace) -> int:
    _check_can_write(arguments.json)
    from mpm_deploy.bench import bench

    with _progress("passes") as show:
        report = bench(
            arguments.artifact,
            arguments.folder,
            against=arguments.against,
            batch_sizes=arguments.batch,
            device=arguments.device,
            threads=arguments.threads,
            limit=arguments.limit,
            repeats=arguments.repeats,
            warmup=arguments.warmup,
            progress=show,
        )
    _show_report(report)
    if arguments.json:
        _write_json(arguments.json, report.to_dict())
    return _SKIPPED if report.skipped else _DONE


def _show_report(report: Report) -> None:
    from mpm_deploy.tables import comparison_table, report_title, results_table

    print(report_title(report))
    _show(results_table(report.results))
    if report.comparison:
        print(f"\nagainst {report.comparison.against.path}")
        _show(comparison_table(report.comparison.results))
        print(f"\n{report.comparison.verdict}")
    against = [report.comparison.against.weights] if report.comparison else []
    _warn_of_random(report.artifact.weights, *against)
    for left_out in report.left_out:
        _talk(f"left out batch {left_out.batch_size}: {left_out.reason}")
    for skipped in report.skipped:
        _warn_of_skipped(skipped.path, skipped.reason)


def _doctor(_: argparse.Namespace) -> int:
    with _status() as step:
        step("looking at this machine")
        from mpm_deploy.doctor import examine
        from mpm_deploy.tables import findings_table

        findings = list(examine())
    _show(findings_table(findings))
    return _DONE


def _worker(arguments: argparse.Namespace) -> int:
    from mpm_deploy.worker import serve

    serve(
        arguments.artifact,
        arguments.folder,
        sys.stdin,
        sys.stdout,
        device=arguments.device,
        threads=arguments.threads,
        limit=arguments.limit,
    )
    return _DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mpm-deploy",
        description="Token-merged ViT segmentation models: from a recipe to one file, to FPS.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mpm-deploy {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a bug")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Callable[..., int], text: str | None) -> argparse.ArgumentParser:
        if text is None:  # one without help is not listed
            added = commands.add_parser(name, allow_abbrev=False)
        else:
            added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(command=command)
        return added

    add("recipes", _recipes, "list the built-in recipes")
    _add_build_options(add("build", _build, "compile a recipe into one file"))
    _add_inspect_options(add("inspect", _inspect, "say what an artifact is"))
    _add_run_options(add("run", _run, "write a label map for each image"))
    _add_bench_options(add("bench", _bench, "measure images a second, end to end and model alone"))
    add("doctor", _doctor, "say what this machine can build and run, and the cure for the rest")
    _add_worker_options(add("worker", _worker, None))
    return parser


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_FILE", help="see `recipes`")
    parser.add_argument("--model", metavar="M", help="another model than the recipe's")
    parser.add_argument(
        "--weights",
        metavar="FILE|demo|random",
        help="other weights; random ones are for speed only",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="section.key=value",
        help="change a value of the recipe; may be given again",
    )
    parser.add_argument("--full-token", action="store_true", help="the same model without merging")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: segmenter.pt or segmenter.pt2, here",
    )


def _add_inspect_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--json", action="store_true", help="the manifest as JSON")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE_OR_FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--batch", type=_positive, default=1, metavar="N", help="images a call")
    _add_host_options(parser)


def _add_bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--against", type=Path, metavar="ARTIFACT", help="say how many times faster"
    )
    parser.add_argument("--batch", type=_positives, default=(1, 2, 32), metavar="1,2,32")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report")
    parser.add_argument("--limit", type=_positive, metavar="N", help="first N images of the folder")
    parser.add_argument(
        "--repeats",
        type=_positive,
        default=3,
        metavar="R",
        help="turns of each artifact with --against (default 3)",
    )
    parser.add_argument("--warmup", type=_positive, metavar="N", help="batches before timing")
    _add_host_options(parser)


def _add_worker_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=_positive)
    _add_host_options(parser)


def _add_host_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        type=_device,
        metavar="cpu|cuda|cuda:1",
        help="default: what the artifact was built for",
    )
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads of the model")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)


def _positives(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


def _device(text: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda or cuda:N, got {text!r}")
    return text


def _show(table: Table) -> None:
    """Data: a table on stdout, as wide as it likes to be where stdout is no terminal."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    if not console.is_terminal:
        widest = console.options.update(width=10_000)
        console.width = Measurement.get(console, widest, table).maximum
    console.print(table)


def _talk(message: str) -> None:
    print(message, file=sys.stderr)


def _fail(problem: str, hint: str | None) -> int:
    _talk(f"error: {problem}")
    if hint:
        _talk(f"  hint: {hint}")
    return _ERROR


def _warn_of_skipped(path: object, reason: str) -> None:
    _talk(f"skipped {path}: {reason}")


def _warn_of_random(*weights: str) -> None:
    if "random" in weights:
        from mpm_deploy.tables import RANDOM_WEIGHTS

        _talk(RANDOM_WEIGHTS)


def _write_json(path: Path, report: dict[str, Any]) -> None:
    from mpm_deploy.files import written_atomically

    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """A spinner with the current step; nothing where stderr is no terminal."""
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


@contextmanager
def _progress(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, told what is done and what there is; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), unit, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


if __name__ == "__main__":
    sys.exit(main())
