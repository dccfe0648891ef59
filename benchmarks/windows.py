"""Measures sliding windows, in images a second: ``python -m benchmarks.windows``

The demo model slides over scenes that were enlarged until several windows lie on each; windows of
several images fill a batch together. For each recipe and program, in turns:

    one at a time    every window is a call of the model: batch 1
    batched          as many windows a call as ``--batch`` says

Model FPS and end-to-end FPS are of images, not of windows.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.bench.cache import built
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table
from benchmarks.bench.turns import Pass, Taker, passes_of, ratio, take_turns
from benchmarks.record import CPP_RUNNER, IMAGES, PROGRAMS, RECIPES
from mpm_deploy.artifact import read_manifest
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import Engine
from mpm_deploy.recipe import load_recipe

SIZE, SHORT_SIDE = (640, 960), 640  # of the images: four windows of 512 × 512 lie on each

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--limit", type=int, default=24, help="first images of the folder")
    parser.add_argument("--batch", type=int, default=8, help="windows a call where batched")
    parser.add_argument("--stride", type=int, help="from window to window; default: a window")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure one row per recipe, program and batch size."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        enlarge(find_images(options.images)[: options.limit], Path(folder))
        for recipe in options.recipes:
            rows += rows_of_recipe(recipe, Path(folder), options)
    record = {"image_size": SIZE, "images": options.limit, "rows": rows}
    yield Finding(record, [rows_table(rows, "sliding windows")])


def enlarge(files: Sequence[Path], folder: Path) -> None:
    """Write the same scenes at `SIZE`, under their own names."""
    for file in files:
        with Image.open(file) as scene:
            large = scene.convert("RGB").resize(SIZE[::-1], Image.Resampling.BICUBIC)
        large.save(folder / file.name, quality=92)


def rows_of_recipe(recipe: str, images: Path, options: argparse.Namespace) -> list[Row]:
    """Measure one row per program and batch size; both programs take turns."""
    slide = ("input.fit=slide", f"input.short_side={SHORT_SIDE}")
    artifact = built(load_recipe(recipe).override(*slide))
    sizes = (1, options.batch)
    takers = {name: Taker(name, passes_of(sizes)) for name in PROGRAMS}
    with ExitStack() as stack:
        engines = [
            stack.enter_context(Engine(artifact, images, stride=options.stride, program=program))
            for program in PROGRAMS.values()
        ]
        take_turns([*zip(takers.values(), engines, strict=True)], options.repeats)
    window = read_manifest(artifact).input
    facts = {
        "recipe": recipe,
        "window": [window.height, window.width],
        "stride": options.stride or window.stride,
    }
    return [facts | row_of(taker, size) for taker in takers.values() for size in sizes]


def row_of(taker: Taker, batch_size: int) -> Row:
    """Return the FPS at a batch size, and the ratio to one window at a time, turn by turn."""
    whole = taker.answers[Pass("end_to_end", batch_size)][-1]
    row: Row = {
        "program": taker.name,
        "batch_size": batch_size,
        "windows_an_image": whole["windows"] / whole["images"],
    }
    for name in ("model", "end_to_end"):
        fps = taker.fps(Pass(name, batch_size))
        gain = ratio(fps, taker.fps(Pass(name)))
        row |= {
            f"{name}_fps": statistics.median(fps),
            f"{name}_ratio": gain.median,
            f"{name}_ratio_min": gain.min,
            f"{name}_ratio_max": gain.max,
        }
    return row


MEMBER = Member(
    "windows", "sliding windows, one at a time and batched", measure, add_options,
    needs=(CPP_RUNNER,),
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
