"""Checks that memory stays flat: ``python -m benchmarks.memory`` runs 2,000 images
through both programs.

The most that was resident after a tenth of the images, and after all: within 5 % of each other.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench.cache import merged
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table
from benchmarks.record import CPP_RUNNER, IMAGES, PROGRAMS, RECIPES
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import Engine


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure one row per recipe and program."""
    passes = -(-options.count // len(find_images(options.images)))
    rows = [
        {"recipe": recipe, "program": name, **growth(merged(recipe), program, options, passes)}
        for recipe in options.recipes
        for name, program in PROGRAMS.items()
    ]
    yield Finding({"growth": rows}, [rows_table(rows, "resident memory")])


def growth(
    artifact: Path, program: tuple[str, ...], options: argparse.Namespace, passes: int
) -> dict[str, Any]:
    """Measure the most memory in MiB along the way, and how much it grew."""
    resident: list[float] = []
    count = 0
    with Engine(artifact, options.images, program=program) as engine:
        for _ in range(passes):
            answer = engine.ask("end_to_end", batch_size=2)
            count += answer["images"]
            resident.append(answer["peak_memory_mib"])
    settled = resident[passes // 10]
    return {
        "images": count,
        "settled_mib": round(settled, 1),
        "end_mib": round(resident[-1], 1),
        "growth": round(resident[-1] / settled - 1, 4),
    }


MEMBER = Member(
    "memory",
    "whether memory stays flat over 2,000 images",
    measure,
    add_options,
    needs=(CPP_RUNNER,),
)

if __name__ == "__main__":
    MEMBER.run()
