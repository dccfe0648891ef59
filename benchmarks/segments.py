"""Holds chains of segments against the eager model: ``python -m benchmarks.segments``

Models are cut at the merges of several schedules, built into files for ONNX Runtime, in float32 and
in float16, and run on scenes, one image a call. Of each file

    tokens kept    after every merge; on how many images all of them are the eager model's
    merge maps     on how many images they are the eager model's, patch by patch
    clusters       the least share, over merges, of patches whose token holds the same patches
    scores         the largest difference to the eager model's, and their deviation
    labels         the share of pixels that have the eager model's; and its in float32
    programs       on how many images C++ writes the label map of Python, pixel by pixel; none where
                   the program was built without ONNX Runtime

The eager model computes in the file's own type, but where it is said. How busy the machine is
changes nothing.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.bench.cache import built
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from benchmarks.record import CPP_RUNNER
from benchmarks.transformers_agreement import Images, label_maps, prepared, scores_of
from mpm_deploy.backends import open_artifact
from mpm_deploy.builder.verify import same_cluster
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe import Recipe, load_recipe

RECIPE = "cpu_onnxruntime_fp32"
SCHEDULES: tuple[tuple[int, ...], ...] = ((), (2,), (2, 5), (1, 2, 5))
DTYPES = ("float32", "float16")
SIDE = 512  # of every image
_RANDOM = ("model.weights=random", "model.classes=150", f"model.image_size=[{SIDE}, {SIDE}]")
# The demo's own weights; random ones leave the classes closer to one another than float16 tells.
MODELS = {
    "seg_t16_mask": ("model.name=seg_t16_mask",),
    "eomt_t16": ("model.name=eomt_t16",),
    "vit_small_patch16_dinov3+linear": (
        *("model.backbone=vit_small_patch16_dinov3", "model.head=linear", *_RANDOM),
        *("verify.labels=0.5", "verify.clusters=0.5"),
    ),
}

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--models", nargs="+", choices=[*MODELS], default=[*MODELS])
    parser.add_argument("--images", type=int, default=2)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure file after file: building takes most of the time."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        images = prepared(SIDE, options.images, Path(folder, "images"))
        for model in options.models:
            for blocks in SCHEDULES:
                rows += rows_of(model, blocks, images, Path(folder))
                yield Finding(record_of(rows), [])
    yield Finding(record_of(rows), [segments_table(rows)])


def record_of(rows: list[Row]) -> dict[str, Any]:
    """Return what is kept of the files that were measured."""
    return {"recipe": RECIPE, "side": SIDE, "onnxruntime": version("onnxruntime"), "rows": rows}


def rows_of(model: str, blocks: tuple[int, ...], images: Images, work: Path) -> Iterator[Row]:
    """Yield a model's rows by one schedule: in float32, and in each other type."""
    whole: Tensor | None = None
    for dtype in DTYPES:
        recipe = recipe_of(model, blocks, dtype)
        artifact = built(recipe, model)
        expected = scores_of(recipe, images.batch)
        labels = label_map(expected[0], images.size)
        whole = labels if whole is None else whole
        program = open_artifact(artifact).program
        given = program.scores(images.batch)
        got = program.labels(given[0], images.size)
        yield {
            "model": model,
            "dtype": dtype,
            "blocks": [*blocks],
            "images": len(got),
            **compared(given, expected),
            "labels_equal": share(got == labels),
            "float32_labels_equal": share(got == whole),
            "programs_equal_images": programs_equal(artifact, images, work / f"{dtype}{blocks}"),
        }


def recipe_of(model: str, blocks: tuple[int, ...], dtype: str) -> Recipe:
    """Return the recipe of one file."""
    return load_recipe(RECIPE).override(
        *MODELS[model],
        f"merge.blocks={[*blocks]}",
        f"backend.dtype={dtype}",
        "verify.images=1",  # more are compared here
    )


def compared(given: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> Row:
    """Compare scores ``(B, K, h, w)`` and merge maps ``(B, M, N)`` with the eager model's."""
    (scores, maps), (eager_scores, eager_maps) = given, expected
    kept, eager_kept = ((each.amax(dim=2) + 1) for each in (maps, eager_maps))  # (B, M)
    clusters = [
        same_cluster(*pair).double().mean(dim=1) for pair in zip(maps, eager_maps, strict=True)
    ]
    return {
        "tokens_kept": kept.double().mean(dim=0).tolist(),
        "counts_equal_images": int((kept == eager_kept).all(dim=1).sum()),
        "maps_equal_images": int((maps == eager_maps).flatten(1).all(dim=1).sum()),
        "clusters_equal": torch.stack(clusters).mean(dim=0).tolist(),
        "largest_difference": (scores - eager_scores).abs().max().item(),
        "deviation_of_scores": eager_scores.std().item(),
    }


def share(equal: Tensor) -> float:
    """Return the share of what is equal."""
    return equal.double().mean().item()


def programs_equal(artifact: Path, images: Images, work: Path) -> int | None:
    """Count the images of which both programs write the same label map; None: C++ runs none."""
    if not cpp_runs_segments(artifact):
        return None
    ours, theirs = (label_maps(name, artifact, images, work / name) for name in ("Python", "C++"))
    return int((ours == theirs).flatten(1).all(dim=1).sum())


@cache
def cpp_runs_segments(artifact: Path) -> bool:
    """Tell whether the C++ program is there, and was built with ONNX Runtime."""
    if not CPP_RUNNER.exists():
        return False
    command = [str(CPP_RUNNER), "run", str(artifact), "none.png"]
    answer = subprocess.run(command, capture_output=True, text=True)
    return "built without ONNX Runtime" not in answer.stderr


def segments_table(rows: list[Row]) -> Table:
    """Make the table of all files."""
    figures = (
        *("tokens kept", "counts equal", "merge maps equal", "same clusters"),
        *("largest difference", "of deviation", "labels equal", "to float32's", "C++ as Python"),
    )
    table = columns(("model", "type", "blocks"), figures)
    for row in rows:
        if row["dtype"] == DTYPES[0] and not row["blocks"]:
            table.add_section()
        of = row["images"]
        programs = row["programs_equal_images"]
        table.add_row(
            *(row["model"], row["dtype"], ", ".join(map(str, row["blocks"])) or "none"),
            " → ".join(f"{tokens:.0f}" for tokens in row["tokens_kept"]) or "all",
            f"{row['counts_equal_images']} of {of}",
            f"{row['maps_equal_images']} of {of}",
            f"{min(row['clusters_equal'], default=1.0):.2%}",
            f"{row['largest_difference']:.1e}",
            f"{row['deviation_of_scores']:.2g}",
            f"{row['labels_equal']:.3%}",
            f"{row['float32_labels_equal']:.3%}",
            "–" if programs is None else f"{programs} of {of}",
        )
    return table


MEMBER = Member(
    "segments", "a model cut at its merges, by ONNX Runtime, against the eager model", measure,
    add_options, needs=("onnx", "onnxscript", "onnxruntime"),
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
