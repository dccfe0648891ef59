"""Compares this project with other engines on the CPU: ``python benchmarks/cpu_peers.py``

The same weights and the same images through PyTorch eager, TorchScript, AOTInductor, ONNX Runtime,
OpenVINO and this project's artifacts, in Python and in C++, each engine in a process of its own, in
alternating rounds.

    model FPS        uint8 input tensor -> class scores, one image at a time on all cores
    end-to-end FPS   image file -> label map in host memory, one image at a time on all cores
    side by side     the same for as many images at once as there are cores, each on one

Which of the last two is faster depends on the engine and the model: targets compare the best way of
each. Side by side is a batch of ours, of four images a core; a peer is called from as many threads,
by the means it has: a session that they share, with one thread a call, or a stream for each.

Peers interpolate and take the argmax inside their own graph; for their model FPS they have a second
graph without. End to end the next images are decoded on other threads while the model runs: with
peers on one for each image at once, with ours on one a core, of which one has work where images
come one at a time. Peers run the full-token model, and the merged one where they can; where an
engine offers several routes (exporters, settings) all are tried and the fastest right one is taken.

Converting takes many minutes, once for each state of the sources; what is converted stays in
``build/benchmarks/peers``. Writes ``benchmarks/results/cpu_peers-<machine>.json``, from which
``benchmarks/render_readme.py`` makes the README's table: models that are not measured stay in it as
they are. With ``--quick`` or ``--engines`` it writes nothing.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/cpu_peers.py`

from benchmarks.peers.cache import cache_folder, versions
from benchmarks.peers.contestants import contestants, left_out
from benchmarks.peers.cores import cores
from benchmarks.peers.results import ModelResult
from benchmarks.peers.rounds import compare, some_images
from benchmarks.peers.subjects import SUBJECTS, Subject
from benchmarks.peers.tables import engines_table, notes, title, verdicts_table
from benchmarks.peers.targets import verdicts
from benchmarks.record import IMAGES, RESULTS, write_result
from mpm_deploy.artifact.host import cpu_name
from mpm_deploy.support.schema import read_structure, to_mapping

_WARMUP_IMAGES = 3


def main() -> None:
    arguments = parse_arguments()
    # For the processes started from here: they find this checkout, and keep their warnings.
    os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
    os.environ["PYTHONWARNINGS"] = "ignore"
    console, talk = Console(width=150), Console(stderr=True)
    for sentence in left_out():
        talk.print(sentence)
    for name in arguments.models:
        result = measure(SUBJECTS[name], arguments, talk)
        show(result, console)
        if not (arguments.quick or arguments.engines):  # after each: a model takes many minutes
            keep([result])
    if not arguments.models:
        keep([])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="*", choices=[*SUBJECTS], default=[*SUBJECTS], help="none: judge again"
    )
    parser.add_argument("--engines", nargs="+", help="beginnings of names, as 'OpenVINO' cpu_fp32")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument(
        "--images", type=int, help="of a pass, at least; default: 8 or 16, by the model"
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds of 2 images")
    parser.add_argument("--cache", type=Path, help="of conversions; default: by the sources' state")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.images = 2, 2
    arguments.cache = (arguments.cache or cache_folder()).resolve()
    return arguments


def measure(subject: Subject, arguments: argparse.Namespace, talk: Console) -> ModelResult:
    """Time all engines with one model."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        return compare(
            subject,
            contestants(subject, arguments.cache, arguments.engines),
            some_images(IMAGES, whole_batches(arguments.images or subject.images), work / "images"),
            rounds=arguments.rounds,
            warmup=_WARMUP_IMAGES,
            work=work / "label_maps",
            say=lambda step: talk.print(step, highlight=False),
        )


def whole_batches(images: int) -> int:
    """Return that many images or a few more, so that side by side no core is left idle
    at the end.
    """
    return -(-images // cores()) * cores()


def keep(results: list[ModelResult]) -> None:
    """Write the results into this machine's record, in which other models stay as they are."""
    name = f"cpu_peers-{machine()}"
    path = RESULTS / f"{name}.json"
    before = json.loads(path.read_text())["models"] if path.exists() else []
    models = [read_structure(ModelResult, model) for model in before] + results
    latest = {model.subject: model for model in models}
    known = [latest[subject] for subject in SUBJECTS if subject in latest]
    judged = [to_mapping(judge(result, known)) for result in known]
    write_result(name, {"models": judged, "packages": versions()})


def judge(result: ModelResult, known: Sequence[ModelResult]) -> ModelResult:
    """Judge the targets of a model, against the highest ceiling that this machine has shown.

    A ceiling can only be measured too low: by what else ran at that moment.
    """
    ceilings = [other.ceiling for other in known]
    highest = {dtype: max(ceiling[dtype] for ceiling in ceilings) for dtype in result.ceiling}
    judged = replace(result, ceiling=highest)
    return replace(judged, verdicts=verdicts(judged, SUBJECTS[result.subject].goals))


def show(result: ModelResult, console: Console) -> None:
    """Print the tables of a model, and the notes on it."""
    console.print(f"\n{title(result)}", highlight=False)
    console.print(engines_table(result))
    for note in notes(result):
        console.print(note, highlight=False, markup=False)
    console.print(verdicts_table(result.verdicts))


def machine() -> str:
    """Name the processor and its cores, as in ``amd-epyc-2``."""
    slug = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    return f"{slug}-{cores()}"


if __name__ == "__main__":
    main()
