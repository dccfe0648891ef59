"""Floors of every row from the vendor's peak figures: ``python -m benchmarks.gpu.predict``

They stand in benchmarks/notes/h100.md, written before any measurement. Tokens kept are assumed to
be those of the demo model, as shares of the patches.
"""

import json

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.gpu.floor import Floor, floor_of, work_of
from benchmarks.gpu.results import Ceilings
from benchmarks.gpu.subjects import SUBJECTS, Subject
from benchmarks.record import RESULTS
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.zoo import create
from mpm_deploy.recipe import Recipe
from mpm_deploy.reduction import method_of

# NVIDIA H100 SXM, data sheet: 989.4 TFLOP/s bfloat16 without sparsity, 67 TFLOP/s float32 and
# 3.35 TB/s. Peaks of the vendor: nobody measured them here, and no program reaches them.
PEAKS = Ceilings(3350.0, {"bfloat16": 989.4, "float32": 67.0})


def tokens_kept() -> tuple[float, ...]:
    """Of the demo model after each merge, as shares of its patches."""
    report = json.loads((RESULTS / "demo_python.json").read_text())["report"]
    means = report["results"][0]["tokens_kept"]["mean"]
    return tuple(mean / 1024 for mean in means)


def predict(recipe: Recipe, batch_size: int) -> Floor:
    """Of one artifact."""
    wanted = recipe.model
    assert wanted.name and wanted.image_size and wanted.classes, recipe.name
    with torch.device("meta"):  # shapes alone
        model = create(
            wanted.name,
            classes=wanted.classes,
            image_size=wanted.image_size,
            before_blocks=recipe.merge.before_blocks,
            method=method_of(recipe.merge),
        )
    patches = model.grid[0] * model.grid[1]
    merges = len(recipe.merge.before_blocks)
    kept = tuple(share * patches for share in tokens_kept()[:merges])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    work = work_of(recipe, count_flops(model), parameters, kept, batch_size)
    return floor_of(work, PEAKS, recipe.backend.dtype)


def main() -> None:
    table = Table(box=box.MARKDOWN)
    for name in (
        "row",
        "batch",
        "full-token ms",
        "MPM ms",
        "most FPS, full-token",
        "most FPS, MPM",
    ):
        table.add_column(name, justify="left" if name == "row" else "right")
    table.add_column("activations of MPM ms", justify="right")
    for subject in SUBJECTS.values():
        table.add_row(*_cells(subject, 32))
        if subject.model == "seg_t16_mask":
            table.add_row(*_cells(subject, 1))
    Console(width=170).print(table)


def _cells(subject: Subject, batch_size: int) -> tuple[str, ...]:
    recipe = subject.recipe("mpm", "random")
    full, merged = (predict(each, batch_size) for each in (recipe.full_token(), recipe))
    fps = [1e3 * batch_size / floor.least for floor in (full, merged)]
    return (
        *(subject.name, str(batch_size), f"{full.least:.3f}", f"{merged.least:.3f}"),
        *(f"{each:.0f}" for each in fps),
        f"{merged.activations:.3f}",
    )


if __name__ == "__main__":
    main()
