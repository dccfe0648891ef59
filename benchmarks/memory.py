"""Checks that memory stays flat: ``python -m benchmarks.memory`` runs 2,000 images
through both programs.

Resident memory after a tenth of the images, and after all: within 5 % of each other.
Writes ``benchmarks/results/memory.json``.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from benchmarks.record import IMAGES, ROOT, build_merged, write_result
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import PROGRAM, Engine

PROGRAMS = {"Python": PROGRAM, "C++": (str(ROOT / "build" / "cpp_runner"),)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--recipes", nargs="+", default=["cpu_portable_fp32", "cpu_fp32"])
    arguments = parser.parse_args()
    passes = -(-arguments.count // len(find_images(arguments.images)))
    rows = [
        {"recipe": recipe, "program": name, **growth(recipe, program, arguments.images, passes)}
        for recipe in arguments.recipes
        for name, program in PROGRAMS.items()
    ]
    for row in rows:
        print(row)
    write_result("memory", {"growth": rows})


def growth(recipe: str, program: tuple[str, ...], images: Path, passes: int) -> dict[str, Any]:
    """Measure the resident memory in MiB along the way, and how much it grew."""
    merged = build_merged(recipe)
    resident: list[float] = []
    count = 0
    with Engine(merged, images, program=program) as engine:
        for _ in range(passes):
            count += engine.ask("end_to_end", batch_size=2)["images"]
            resident.append(resident_mib(engine.process_id))
    settled = resident[passes // 10]
    return {
        "images": count,
        "settled_mib": round(settled, 1),
        "end_mib": round(resident[-1], 1),
        "growth": round(resident[-1] / settled - 1, 4),
    }


def resident_mib(process_id: int) -> float:
    """Return the MiB that a process holds in memory now."""
    status = Path(f"/proc/{process_id}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found.group(1)) / 1024


if __name__ == "__main__":
    main()
