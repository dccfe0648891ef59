"""Measures what merging gives, against its FLOPs and end to end: ``python -m benchmarks.speed``

For each recipe: the demo model merged against full-token, in turns, by `mpm-deploy bench`:

    of the FLOPs     model-FPS ratio / FLOP ratio at the tokens kept      0.95 or more
    of the model     end-to-end FPS · (model time + label time an image)  0.9 or more

Then the C++ program against the Python one on the same artifact, in turns, end to end: 0.99 or
more.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.bench.cache import full_token, merged
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table, verdicts_table
from benchmarks.bench.targets import CPP_OVER_PYTHON, OF_THE_FLOPS, Verdict, judge
from benchmarks.bench.turns import Pass, Taker, passes_of, ratio, take_turns
from benchmarks.record import CPP_RUNNER, IMAGES, PROGRAMS, RECIPES
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.measure.speed.engine import Engine
from mpm_deploy.measure.speed.report import Measurement, Ratio, Spread

BATCH_SIZES = (1, 2, 32)

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure one row per recipe and batch size, of merging and of the two programs."""
    merging: list[Row] = []
    languages: list[Row] = []
    for recipe in options.recipes:
        report = bench(
            merged(recipe),
            options.images,
            against=full_token(recipe),
            batch_sizes=BATCH_SIZES,
            repeats=options.repeats,
        )
        assert report.comparison is not None
        pairs = zip(report.results, report.comparison.results, strict=True)
        merging += [{"recipe": recipe, **merging_row(*pair)} for pair in pairs]
        rows = language_rows(merged(recipe), options.images, options.repeats)
        languages += [{"recipe": recipe, **row} for row in rows]
    verdicts = [*map(merging_verdict, merging), *map(language_verdict, languages)]
    shown = [
        rows_table(merging, "merged against full-token"),
        rows_table(languages, "C++ against Python"),
        verdicts_table(verdicts),
    ]
    kept = [*map(asdict, verdicts)]
    yield Finding({"merging": merging, "languages": languages, "verdicts": kept}, shown)


def merging_row(measured: Measurement, ratio: Ratio) -> Row:
    """Compare what merging gives with what its FLOPs and its model time allow."""
    seconds = 1 / measured.model_fps + measured.stages_ms.labels / 1e3
    return {
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


def language_rows(artifact: Path, images: Path, repeats: int) -> Iterator[Row]:
    """Compare the C++ program's FPS with the Python one's, turn by turn."""
    cpp, python = (Taker(name, passes_of(BATCH_SIZES)) for name in ("C++", "Python"))
    with (
        Engine(artifact, images, program=PROGRAMS["C++"]) as one,
        Engine(artifact, images, program=PROGRAMS["Python"]) as other,
    ):
        take_turns([(cpp, one), (python, other)], repeats)
    for size in BATCH_SIZES:
        model, whole = (
            ratio(cpp.fps(each), python.fps(each))
            for each in (Pass("model", size), Pass("end_to_end", size))
        )
        yield {
            "batch_size": size,
            "end_to_end_ratio": whole.median,
            "end_to_end_ratio_min": whole.min,
            "end_to_end_ratio_max": whole.max,
            "model_ratio": model.median,
        }


def merging_verdict(row: Row) -> Verdict:
    """Judge the model alone, merged against full-token, by what FLOPs allow."""
    reached = Spread(*(row[f"model_fps_ratio{end}"] for end in ("", "_min", "_max")))
    target = f"{row['recipe']}, batch {row['batch_size']}: merged over full-token, the model alone"
    return judge(target, OF_THE_FLOPS * row["flop_ratio"], reached)


def language_verdict(row: Row) -> Verdict:
    """Judge the C++ program by the Python one."""
    reached = Spread(*(row[f"end_to_end_ratio{end}"] for end in ("", "_min", "_max")))
    target = f"{row['recipe']}, batch {row['batch_size']}: C++ over Python, end to end"
    return judge(target, CPP_OVER_PYTHON, reached)


MEMBER = Member(
    "speed",
    "what merging gives against its FLOPs, and C++ against Python",
    measure,
    add_options,
    needs=(CPP_RUNNER,),
)

if __name__ == "__main__":
    MEMBER.run()
