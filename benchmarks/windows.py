"""Measures sliding windows, in images a second: ``python -m benchmarks.windows``

The demo model slides over scenes that were enlarged until several windows lie on each; windows of
several images fill a batch together. For each recipe and program, in turns:

    one at a time    every window is a call of the model: batch 1
    batched          as many windows a call as ``--batch`` says

Model FPS and end-to-end FPS are of images, not of windows. Writes
``benchmarks/results/windows.json``.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.record import IMAGES, ROOT, built, write_result
from mpm_deploy.artifact import read_manifest
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.recipe import load_recipe

RECIPES = ("cpu_fp32", "cpu_portable_fp32")
PROGRAMS = {"C++": (str(ROOT / "build" / "cpp_runner"),), "Python": PROGRAM}
SIZE, SHORT_SIDE = (640, 960), 640  # of the images: four windows of 512 × 512 lie on each
PASSES = ("model", "end_to_end")

Row = dict[str, Any]


@dataclass
class Way:
    """One program at one batch size, and its answers."""

    name: str
    engine: Engine
    batch_size: int
    fps: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PASSES})
    windows_an_image: float = 0.0

    def take_turn(self) -> None:
        """Run both passes once."""
        for name, values in self.fps.items():
            answer = self.engine.ask(name, batch_size=self.batch_size)
            values.append(answer["images"] / answer["seconds"])
            if "windows" in answer:
                self.windows_an_image = answer["windows"] / answer["images"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--limit", type=int, default=24, help="first images of the folder")
    parser.add_argument("--batch", type=int, default=8, help="windows a call where batched")
    parser.add_argument("--stride", type=int, help="from window to window; default: a window")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--dry", action="store_true", help="write no result")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        enlarge(find_images(arguments.images)[: arguments.limit], Path(folder))
        for recipe in arguments.recipes:
            rows += measure(recipe, Path(folder), arguments)
    Console(width=150).print(as_table(rows))
    if not arguments.dry:
        write_result("windows", {"image_size": SIZE, "images": arguments.limit, "rows": rows})


def enlarge(files: Sequence[Path], folder: Path) -> None:
    """Write the same scenes at `SIZE`, under their own names."""
    for file in files:
        with Image.open(file) as scene:
            large = scene.convert("RGB").resize(SIZE[::-1], Image.Resampling.BICUBIC)
        large.save(folder / file.name, quality=92)


def measure(recipe: str, images: Path, arguments: argparse.Namespace) -> list[Row]:
    """Measure one row per program and batch size; all of them take turns."""
    slide = ("input.fit=slide", f"input.short_side={SHORT_SIDE}")
    artifact = built(load_recipe(recipe).override(*slide), "sliding")
    with ExitStack() as stack:
        ways = []
        for name, program in PROGRAMS.items():
            engine = Engine(artifact, images, stride=arguments.stride, program=program)
            stack.enter_context(engine)
            ways += [Way(name, engine, size) for size in (1, arguments.batch)]
        for way in ways:
            way.engine.ask("warmup", batch_size=way.batch_size, batches=None)
        for _ in range(arguments.repeats):
            for way in ways:
                way.take_turn()
    window = read_manifest(artifact).input
    stride = arguments.stride or window.stride
    facts = {"recipe": recipe, "window": [window.height, window.width], "stride": stride}
    alone = {way.name: way for way in ways if way.batch_size == 1}
    return [facts | row_of(way, alone[way.name]) for way in ways]


def row_of(way: Way, alone: Way) -> Row:
    """Return a way's FPS, and its ratio to one window at a time, turn by turn."""
    row: Row = {
        "program": way.name,
        "batch_size": way.batch_size,
        "windows_an_image": way.windows_an_image,
    }
    for name, values in way.fps.items():
        ratios = [fps / one for fps, one in zip(values, alone.fps[name], strict=True)]
        row |= {
            f"{name}_fps": statistics.median(values),
            f"{name}_ratio": statistics.median(ratios),
            f"{name}_ratio_min": min(ratios),
            f"{name}_ratio_max": max(ratios),
        }
    return row


def as_table(rows: Sequence[Row]) -> Table:
    """Make a table of the most telling figures, for those who watch."""
    names = ["recipe", "program", "batch_size", "windows_an_image"]
    names += [f"{name}_{what}" for name in PASSES for what in ("fps", "ratio")]
    table = Table(*(name.replace("_", " ") for name in names), title="sliding windows")
    for row in rows:
        values = [row[name] for name in names]
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values))
    return table


if __name__ == "__main__":
    main()
