"""Compares this project with other engines on the CPU: ``python -m benchmarks.cpu_peers``

The same weights and the same images through PyTorch eager, TorchScript, AOTInductor, ONNX Runtime,
OpenVINO, OpenVINO in 8 bits and this project's artifacts, in Python and in C++, each engine in a
process of its own, in alternating rounds.

    model FPS        uint8 input tensor -> class scores, one image at a time on all cores
    end-to-end FPS   image file -> label map in host memory, one image at a time on all cores
    side by side     the same for as many images at once as there are cores, each on one

Which of the last two is faster depends on the engine and the model: targets compare the best way of
each. Side by side is a batch of ours, of four images a core; a peer is called from as many threads,
by the means it has: a session that they share, with one thread a call, or a stream for each.

Peers interpolate and take the argmax inside their own graph; for their model FPS they have a second
graph without. End to end the next images are decoded on other threads while the model runs: with
peers on one for each image at once, with ours on one a core, of which one has work where images
come one at a time. Peers run the full-token model, and the merged one where they can, by every
schedule of the model; where an engine offers several routes (exporters, settings) all are tried and
the fastest right one is taken. Eight bits are calibrated on every third scene; mIoU is over the
others, for every engine. Of ours, targets take the fastest that loses at most a point of mIoU; what
merging gives a batch, `benchmarks.speed` measures.

Converting takes many minutes, once for each state of the sources; what is converted stays in
``build/benchmarks``. Writes ``benchmarks/results/cpu_peers-<machine>.json``, from which
``benchmarks/render_readme.py`` makes the README's table: models that are not measured stay in it as
they are. With ``--quick`` or ``--engines`` it writes nothing.
"""

import argparse
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from benchmarks.bench.cache import state_folder, versions
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import verdicts_table
from benchmarks.peers.compare import Conditions, compare
from benchmarks.peers.contestants import contestants, left_out
from benchmarks.peers.models import MODELS, Model, copied, cores, judged_images, spread_over
from benchmarks.peers.results import ModelResult
from benchmarks.peers.tables import engines_table, notes, title
from benchmarks.peers.targets import verdicts
from benchmarks.record import IMAGES, RESULTS, ROOT
from mpm_deploy.images.decode import find_images
from mpm_deploy.support.processor import cpu_name
from mpm_deploy.support.schema import read_structure, to_mapping

_WARMUP_IMAGES = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument(
        "--models", nargs="*", choices=[*MODELS], default=[*MODELS], help="none: judge again"
    )
    parser.add_argument("--engines", nargs="+", help="beginnings of names, as 'OpenVINO' cpu_fp32")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument(
        "--images", type=int, help="of a pass, at least; default: 8 or 16, by the model"
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds of 2 images, 4 label maps")
    parser.add_argument("--cache", type=Path, help="of conversions; default: by the sources' state")


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure model after model: each takes many minutes."""
    # For the processes started from here: they find this checkout, and keep their warnings.
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["PYTHONWARNINGS"] = "ignore"
    if options.quick:
        options.rounds, options.images = 2, 2
    options.dry = options.dry or options.quick or bool(options.engines)
    talk = Console(stderr=True, highlight=False)
    for sentence in left_out():
        talk.print(sentence)
    found: list[ModelResult] = []
    for name in options.models:
        found.append(compared(MODELS[name], options, talk))
        yield Finding(record_with(found), shown(found[-1]))
    if not options.models:
        yield Finding(record_with([]), [])


def compared(model: Model, options: argparse.Namespace, talk: Console) -> ModelResult:
    """Time all engines with one model."""
    # Or a few images more, so that side by side no core is left idle at the end.
    count = -(-(options.images or model.images) // cores()) * cores()
    cache = (options.cache or state_folder() / "peers").resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        how = Conditions(
            images=copied(spread_over(find_images(IMAGES), count), work / "images"),
            rounds=options.rounds,
            warmup=_WARMUP_IMAGES,
            work=work,
            say=talk.print,
            judged=spread_over(judged_images(), 4) if options.quick else None,
        )
        engines = options.engines or model.engines
        return compare(model, contestants(model, cache, engines), how)


def record_with(results: list[ModelResult]) -> dict[str, Any]:
    """Return this machine's record with these results; other models stay in it as they are."""
    path = RESULTS / f"{MEMBER.record}.json"
    before = json.loads(path.read_text())["models"] if path.exists() else []
    models = [read_structure(ModelResult, model) for model in before] + results
    latest = {model.subject: model for model in models}
    known = [latest[name] for name in MODELS if name in latest]
    judged = [to_mapping(judged_again(result, known)) for result in known]
    return {"models": judged, "packages": versions()}


def judged_again(result: ModelResult, known: Sequence[ModelResult]) -> ModelResult:
    """Judge the targets of a model, against the highest ceiling that this machine has shown.

    A ceiling can only be measured too low: by what else ran at that moment.
    """
    # An older record may know no ceiling of a type.
    highest = {
        dtype: max(other.ceiling.get(dtype, 0.0) for other in known) for dtype in result.ceiling
    }
    judged = replace(result, ceiling=highest)
    return replace(judged, verdicts=verdicts(judged, MODELS[result.subject].goals))


def shown(result: ModelResult) -> list[RenderableType]:
    """Return the tables of a model, and the notes on it."""
    judged = [verdicts_table(result.verdicts)] if result.verdicts else []
    return [f"\n{title(result)}", engines_table(result), *notes(result), *judged]


def machine() -> str:
    """Name the processor and its cores, as in ``amd-epyc-2``."""
    slug = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    return f"{slug}-{cores()}"


MEMBER = Member(
    "cpu_peers",
    "other engines on this CPU, full-token and merged",
    measure,
    add_options,
    record=f"cpu_peers-{machine()}",
)

if __name__ == "__main__":
    MEMBER.run()
