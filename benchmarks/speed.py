"""Measures what merging gives, against its FLOPs and end to end: ``python -m benchmarks.speed``

For each recipe: the demo model merged against full-token, in turns, by `mpm-deploy bench`:

    of the FLOPs     model-FPS ratio / FLOP ratio at the tokens kept      0.92 or more
    of the model     end-to-end FPS · (model time + label time an image)  0.9 or more

Then the C++ program against the Python one on the same artifact, in turns: 0.97 or more.
Writes ``benchmarks/results/speed.json``.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.record import IMAGES, ROOT, build_pair, write_result
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.measure.speed.report import Measurement, Ratio, Report

RECIPES = ("cpu_portable_fp32", "cpu_fp32")
CPP_RUNNER = (str(ROOT / "build" / "cpp_runner"),)
BATCH_SIZES = (1, 2, 32)

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    arguments = parser.parse_args()
    merging: list[Row] = []
    languages: list[Row] = []
    for recipe in arguments.recipes:
        merged, full_token = build_pair(recipe)
        report = bench(
            merged,
            arguments.images,
            against=full_token,
            batch_sizes=BATCH_SIZES,
            repeats=arguments.repeats,
        )
        merging += merging_rows(recipe, report)
        languages += language_rows(recipe, merged, arguments.images, arguments.repeats)
    console = Console(width=150)
    for title, rows in (("merged against full-token", merging), ("C++ against Python", languages)):
        console.print(as_table(title, rows))
    write_result("speed", {"merging": merging, "languages": languages})


def merging_rows(recipe: str, report: Report) -> list[Row]:
    """Return one row per batch size."""
    assert report.comparison is not None
    pairs = zip(report.results, report.comparison.results, strict=True)
    return [merging_row(recipe, measured, ratio) for measured, ratio in pairs]


def merging_row(recipe: str, measured: Measurement, ratio: Ratio) -> Row:
    """Compare what merging gives with what its FLOPs and its model time allow."""
    stages = measured.stages_ms
    seconds = 1 / measured.model_fps + stages.labels / 1e3
    return {
        "recipe": recipe,
        "batch_size": measured.batch_size,
        "images": measured.images,
        "model_fps": measured.model_fps,
        "end_to_end_fps": measured.end_to_end_fps,
        "model_fps_ratio": ratio.model_fps_ratio.median,
        "model_fps_ratio_min": ratio.model_fps_ratio.min,
        "model_fps_ratio_max": ratio.model_fps_ratio.max,
        "flop_ratio": ratio.flop_ratio,
        "of_the_flops": ratio.model_fps_ratio.median / ratio.flop_ratio,
        "of_the_model": measured.end_to_end_fps * seconds,
    }


def language_rows(recipe: str, artifact: Path, images: Path, repeats: int) -> list[Row]:
    """Compare end-to-end FPS of the C++ program with the Python one's, turn by turn."""
    with (
        Engine(artifact, images, program=CPP_RUNNER) as cpp,
        Engine(artifact, images, program=PROGRAM) as python,
    ):
        return [language_row(recipe, cpp, python, size, repeats) for size in BATCH_SIZES]


def language_row(recipe: str, cpp: Engine, python: Engine, batch_size: int, repeats: int) -> Row:
    """Measure one row, of ``repeats`` turns after a warm-up."""
    for engine in (cpp, python):
        engine.ask("warmup", batch_size=batch_size)
    ratios: dict[str, list[float]] = {"model": [], "end_to_end": []}
    for _ in range(repeats):
        for name, values in ratios.items():
            ours, theirs = (engine.ask(name, batch_size=batch_size) for engine in (cpp, python))
            values.append(theirs["seconds"] / ours["seconds"])
    return {
        "recipe": recipe,
        "batch_size": batch_size,
        "end_to_end_ratio": statistics.median(ratios["end_to_end"]),
        "end_to_end_ratio_min": min(ratios["end_to_end"]),
        "end_to_end_ratio_max": max(ratios["end_to_end"]),
        "model_ratio": statistics.median(ratios["model"]),
    }


def as_table(title: str, rows: list[Row]) -> Table:
    """Make a table of rows of one kind."""
    table = Table(*(name.replace("_", " ") for name in rows[0]), title=title)
    for row in rows:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


if __name__ == "__main__":
    main()
