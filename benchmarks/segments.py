"""Holds chains of segments against the eager model: ``python -m benchmarks.segments``

Models are cut at the merges of several schedules, in float32 and in float16, written as ONNX, run
by ONNX Runtime on scenes, one image a call, and compared with the eager model in the same type:

    tokens kept    after every merge; on how many images all of them are the eager model's
    merge maps     on how many images they are the eager model's, patch by patch
    clusters       the least share, over merges, of patches whose token holds the same patches
    scores         their largest difference, and their deviation
    labels         the share of pixels that have the eager model's; and its in float32

How busy the machine is changes nothing.
"""

import argparse
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from benchmarks.transformers_agreement import Images, prepared
from mpm_deploy.backends.onnxruntime.sessions import open_folder
from mpm_deploy.backends.segments.chain import Step, outputs_of, run_chain
from mpm_deploy.backends.segments.export import write_segments
from mpm_deploy.backends.segments.segment import cut
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.verify import same_cluster
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.support.cores import available_cores

RECIPE = "cpu_onnxruntime_fp32"
CPU = "CPUExecutionProvider"
SCHEDULES: tuple[tuple[int, ...], ...] = ((), (2,), (2, 5), (1, 2, 5))
DTYPES = ("float32", "float16")
SIDE = 512  # of every image
_RANDOM = ("model.weights=random", "model.classes=150", f"model.image_size=[{SIDE}, {SIDE}]")
# The first two have the demo's weights.
MODELS = {
    "seg_t16_mask": ("model.name=seg_t16_mask",),
    "eomt_t16": ("model.name=eomt_t16",),
    "vit_small_patch16_dinov3+linear": (
        *("model.backbone=vit_small_patch16_dinov3", "model.head=linear", *_RANDOM),
    ),
}

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--models", nargs="+", choices=[*MODELS], default=[*MODELS])
    parser.add_argument("--images", type=int, default=4)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure model after model: exporting takes most of the time."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        images = prepared(SIDE, options.images, Path(folder, "images"))
        for model in options.models:
            for blocks in SCHEDULES:
                rows += rows_of(model, blocks, images)
                yield Finding(record_of(rows), [])
    yield Finding(record_of(rows), [segments_table(rows)])


def record_of(rows: list[Row]) -> dict[str, Any]:
    """Return what is kept of the models that were measured."""
    return {"side": SIDE, "onnxruntime": version("onnxruntime"), "rows": rows}


def rows_of(model: str, blocks: tuple[int, ...], images: Images) -> Iterator[Row]:
    """Yield a model's rows by one schedule: in float32, and in each other type."""
    whole: Tensor | None = None
    for dtype in DTYPES:
        eager, _ = make_model(recipe_of(model, blocks, dtype))
        expected = eager_outputs(eager, images.batch)
        given = chain_outputs(eager, images.batch)
        labels, eager_labels = (label_map(each[0], images.size) for each in (given, expected))
        whole = eager_labels if whole is None else whole
        yield {
            "model": model,
            "dtype": dtype,
            "blocks": [*blocks],
            "images": len(labels),
            **compared(given, expected),
            "labels_equal": share(labels == eager_labels),
            "float32_labels_equal": share(labels == whole),
        }


def recipe_of(model: str, blocks: tuple[int, ...], dtype: str) -> Recipe:
    """Return the recipe of one model."""
    changes = (f"merge.blocks={[*blocks]}", f"backend.dtype={dtype}")
    return load_recipe(RECIPE).override(*MODELS[model], *changes)


def eager_outputs(model: Segmenter, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Compute scores ``(B, K, h, w)`` and merge maps ``(B, M, N)``, an image at a time."""
    with torch.inference_mode():
        scores, maps = zip(*(model(image) for image in batch.split(1)), strict=True)
    return torch.cat(scores), torch.cat(maps)


def chain_outputs(model: Segmenter, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the same by segments in ONNX Runtime."""
    down, across = model.grid
    with tempfile.TemporaryDirectory() as folder:
        write_segments(cut(model), batch[:1], Path(folder))
        steps: list[Step] = [*open_folder(Path(folder), [CPU], available_cores())]
    given = (run_chain(steps, image) for image in batch.split(1))
    outputs = [outputs_of(each, len(steps) - 1, down * across) for each in given]
    scores, maps = zip(*outputs, strict=True)
    return torch.cat(scores), torch.cat(maps)


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


def segments_table(rows: list[Row]) -> Table:
    """Make the table of all models."""
    figures = (
        *("tokens kept", "counts", "maps", "clusters", "scores, of deviation"),
        *("labels", "to float32's"),
    )
    table = columns(("model", "type", "blocks"), figures)
    for row in rows:
        if row["dtype"] == DTYPES[0] and not row["blocks"]:
            table.add_section()
        of = row["images"]
        table.add_row(
            *(row["model"], row["dtype"], ", ".join(map(str, row["blocks"])) or "none"),
            " → ".join(f"{tokens:.0f}" for tokens in row["tokens_kept"]) or "all",
            f"{row['counts_equal_images']} of {of}",
            f"{row['maps_equal_images']} of {of}",
            f"{min(row['clusters_equal'], default=1.0):.2%}",
            f"{row['largest_difference']:.1e}, {row['deviation_of_scores']:.2g}",
            f"{row['labels_equal']:.3%}",
            f"{row['float32_labels_equal']:.3%}",
        )
    return table


MEMBER = Member(
    "segments", "a model cut at its merges, by ONNX Runtime, against the eager model", measure,
    add_options, needs=("onnx", "onnxscript", "onnxruntime"),
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
