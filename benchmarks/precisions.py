"""Measures what a precision costs in accuracy, by class: ``python -m benchmarks.precisions``

The demo model by each native recipe, full-token and merged by each of its schedules, on the scenes
that calibrate nothing. Int8 is calibrated on the others. How busy the machine is changes nothing.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from benchmarks.bench.cache import built
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from benchmarks.peers.models import MODELS, judged_scenes
from benchmarks.peers.variants import FULL_TOKEN, Variant
from mpm_deploy.measure.accuracy.evaluate import evaluate
from mpm_deploy.recipe import load_recipe
from mpm_deploy.show.tables.style import percent, tokens

RECIPES = ("cpu_fp32", "cpu_bf16", "cpu_int8")
MODEL = MODELS["demo"]

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--limit", type=int, metavar="N", help="first N scenes; writes nothing")


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure one row per schedule and precision; float32 comes first."""
    options.dry = options.dry or options.limit is not None
    variants = [*MODEL.variants([FULL_TOKEN, Variant(merged=True)])]
    rows = [accuracy(recipe, each, options.limit) for each in variants for recipe in RECIPES]
    yield Finding({"rows": rows}, [precisions_table(rows)])


def accuracy(recipe: str, variant: Variant, limit: int | None = None) -> Row:
    """Evaluate the demo model of a recipe, with the tokens of a variant."""
    artifact = built(variant.changed(MODEL.recipe(recipe)))
    found = evaluate(artifact, judged_scenes(), limit=limit)
    return {
        "precision": load_recipe(recipe).backend.dtype,
        "tokens": variant.tokens,
        "images": found.images,
        "tokens_kept": found.tokens_kept,
        "mean_iou": found.mean_iou,
        "class_iou": {each.name: each.iou for each in found.per_class},
    }


def precisions_table(rows: list[Row]) -> Table:
    """Make a table of mIoU, what is lost of float32's by the same schedule, and IoU by class."""
    names = [*rows[0]["class_iou"]]
    table = columns(("precision", "tokens", "tokens kept"), ("mIoU", "lost", *names))
    whole = {row["tokens"]: row["mean_iou"] for row in rows if row["precision"] == "float32"}
    for row in rows:
        lost = 100 * (whole[row["tokens"]] - row["mean_iou"])
        if row["precision"] == "float32":
            table.add_section()
        table.add_row(
            *(row["precision"], row["tokens"], tokens(row["tokens_kept"])),
            *(percent(row["mean_iou"]), f"{round(lost, 2) + 0:.2f}"),  # no "-0.00"
            *(percent(row["class_iou"][name]) for name in names),
        )
    return table


MEMBER = Member(
    "precisions", "what bfloat16 and int8 cost in accuracy, by class", measure, add_options
)

if __name__ == "__main__":
    MEMBER.run()
