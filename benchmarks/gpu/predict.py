"""Predicts every row's floors from the vendor's figures: ``python -m benchmarks.gpu.predict``

They stand in benchmarks/notes/h100.md, written before any measurement. Tokens kept are assumed to
be those of the demo model, as shares of the patches.
"""

import torch

from benchmarks.gpu.floor import Floor, floor_of, work_of
from benchmarks.gpu.results import Ceilings
from benchmarks.gpu.subjects import SUBJECTS, Subject
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.zoo import create
from mpm_deploy.recipe import Recipe

# NVIDIA H100 SXM, data sheet: 989.4 TFLOP/s bfloat16 without sparsity, 67 TFLOP/s float32 and
# 3.35 TB/s. Peaks of the vendor: nobody measured them here, and no program reaches them.
PEAKS = Ceilings(3350.0, {"bfloat16": 989.4, "float32": 67.0})

_HEAD = (
    "| row | batch | full-token, ms | MPM, ms | full-token, FPS at most | MPM, FPS at most "
    "| activations of MPM, ms |"
)
# Of the demo model after each merge, of 1024: what benchmarks/results/demo_python.json said when
# this was written. A prediction does not change with what is measured later.
KEPT = (760 / 1024, 587 / 1024)


def predict(recipe: Recipe, batch_size: int) -> Floor:
    """Predict the floor of one artifact."""
    wanted = recipe.model
    assert wanted.name and wanted.image_size and wanted.classes, recipe.name
    with torch.device("meta"):  # shapes alone
        model = create(
            wanted.name,
            classes=wanted.classes,
            image_size=wanted.image_size,
            blocks=recipe.merge.blocks,
            method=recipe.merge.member,
        )
    patches = model.grid[0] * model.grid[1]
    merges = len(recipe.merge.blocks)
    kept = tuple(share * patches for share in KEPT[:merges])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    work = work_of(recipe, count_flops(model), parameters, kept, batch_size)
    return floor_of(work, PEAKS, recipe.backend.dtype)


def main() -> None:
    print(as_markdown())


def as_markdown() -> str:
    """Write a table in Markdown with one line per row; ViT-T is also there at batch 1."""
    lines = [_HEAD, "|---|" + "--:|" * 6]
    for subject in SUBJECTS.values():
        lines.append(_line(subject, 32))
        if subject.model == "seg_t16_mask":
            lines.append(_line(subject, 1))
    return "\n".join(lines)


def _line(subject: Subject, batch_size: int) -> str:
    recipe = subject.recipe("mpm", "random")
    full, merged = (predict(each, batch_size) for each in (recipe.full_token(), recipe))
    fps = [1e3 * batch_size / floor.least for floor in (full, merged)]
    cells = (
        *(subject.name, str(batch_size), f"{full.least:.3f}", f"{merged.least:.3f}"),
        *(f"{each:.0f}" for each in fps),
        f"{merged.activations:.3f}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
