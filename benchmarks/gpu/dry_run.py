"""The whole way without a GPU: ``python -m benchmarks.h100 --dry-run``.

row ─▶ stand-in ─▶ artifacts, checked ─▶ label maps and bench in both languages ─▶ record ─▶ pages

A stand-in has the row's special tokens, decoder, class count and way of merging, the width of
ViT-T, and a small input; the portable recipe builds it for a CPU. All else is what runs on a GPU.
Rows that differ in size or precision alone have the same stand-in, which is built and run once by
each way of merging. Then every Triton kernel is compiled for an H100. The record lies in a
temporary folder: nothing of it is a measurement.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.gpu import pages
from benchmarks.gpu.part import Conditions, Part
from benchmarks.gpu.records import name_of, with_part
from benchmarks.gpu.results import GpuRecord, PartResult
from benchmarks.gpu.show import show
from benchmarks.gpu.stages import measure_ceilings, measure_merge_memory
from benchmarks.gpu.subjects import Subject
from benchmarks.record import IMAGES, ROOT, write_result
from mpm_deploy.backends import get_backend
from mpm_deploy.build import build
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.structure import to_mapping

WARNING = "DRY RUN: stand-in models on a CPU. No figure here is a measurement."
RECIPE, SIDE, COUNT = "cpu_portable_fp32", 96, 8  # pixels, images


@dataclass(frozen=True)
class StandIn(Subject):
    """A row's small model, under the row's name."""

    def recipe(self, method: str, weights: str) -> Recipe:
        """Merged as the row's."""
        real = super().recipe(method, weights)
        small = load_recipe(RECIPE).override(
            f"model.name={stand_in(self.model)}",
            f"model.weights={weights}",
            f"model.image_size=[{SIDE}, {SIDE}]",
            f"model.classes={real.model.classes}",
        )
        return replace(small, merge=real.merge)


def stand_in(model: str) -> str:
    """The tiny model with the same special tokens and decoder."""
    return re.sub(r"[tsbl]\d+_", "t16_", model)


@dataclass(frozen=True)
class BuiltOnce:
    """Artifacts in a folder, each recipe's built when it is first asked for."""

    folder: Path

    def __call__(self, recipe: Recipe, name: str) -> Path:
        """The file of a recipe; rows of one stand-in share it, whatever its name."""
        digest = hashlib.sha256(json.dumps(recipe.to_dict()).encode()).hexdigest()[:16]
        path = self.folder / f"{digest}{get_backend(recipe.backend.name).suffix}"
        return path if path.exists() else build(recipe, path)


def run(wanted: Sequence[tuple[Subject, str]], console: Console) -> None:
    """Every part that is wanted, the tables, the pages and the kernels."""
    begin = time.monotonic()
    console.print(WARNING, style="bold")
    with tempfile.TemporaryDirectory() as folder:
        conditions = small_conditions(Path(folder))
        record = start_record()
        parts = [measured(subject, method, conditions) for subject, method in wanted]
        for done, part in enumerate(side_by_side(parts), start=1):
            record = with_part(record, part)
            console.print(f"{done} of {len(parts)}: {part.name}, {summary(part)}")
        kept = keep(record, Path(folder))
        show(kept.record, console)
        rendered(kept, Path(folder), console)
    compile_kernels(console)
    console.print(f"{len(record.parts)} parts in {time.monotonic() - begin:.0f} s. {WARNING}")
    check(record)


def side_by_side(parts: Sequence[Part]) -> Iterator[PartResult]:
    """What each part gives, in their order, a core for each: speed does not matter here.

    Rows whose stand-ins are one artifact are run once.
    """
    begun: dict[Recipe, Future[PartResult]] = {}
    with ProcessPoolExecutor(
        len(os.sched_getaffinity(0)), get_context("spawn"), initializer=use_one_thread
    ) as pool:
        for part in parts:
            if part.recipe not in begun:
                begun[part.recipe] = pool.submit(part.measure)
        for part in parts:
            yield replace(begun[part.recipe].result(), row=part.subject.name)


def use_one_thread() -> None:
    """Here and in the processes begun here: on this core."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def measured(subject: Subject, method: str, conditions: Conditions) -> Part:
    """A row's part, with its stand-in."""
    return Part(StandIn(subject.row, subject.in_paper), method, "random", conditions)


def small_conditions(folder: Path) -> Conditions:
    """Few images, and batches that a CPU has done in seconds."""
    return Conditions(
        images=some_images(folder / "images"),
        repeats=1,
        batch_sizes=(1, 2),
        parity_images=COUNT,
        timed_images=COUNT,
        timed_images_slow=COUNT,
        warmup=1,
        build=BuiltOnce(folder),
    )


def some_images(folder: Path) -> Path:
    """The first scenes."""
    folder.mkdir()
    for image in sorted(IMAGES.glob("*.jpg"))[:COUNT]:
        (folder / image.name).symlink_to(image)
    return folder


def start_record() -> GpuRecord:
    """As of a GPU, of this CPU."""
    cpu = torch.device("cpu")
    return GpuRecord(
        gpu="dry run on a CPU",
        driver="none",
        ceilings=measure_ceilings(cpu, side=256, size=1 << 20),
        merge_memory=measure_merge_memory(cpu, tokens=256),
    )


def keep(record: GpuRecord, folder: Path) -> pages.Kept:
    """Written and read again, as a GPU's record is."""
    return pages.read(write_result(name_of(record), to_mapping(record), folder))


def rendered(kept: pages.Kept, folder: Path, console: Console) -> None:
    """The README's part, the page and the figures, which go nowhere."""
    drawn = pages.figures(kept, folder)
    texts = {"README's part": pages.readme_part(kept), "docs/h100.md": pages.page(kept)}
    texts |= {path.name: text for path, text in drawn.items()}
    for name, text in texts.items():
        console.print(f"rendered {name}: {len(text.splitlines())} lines", highlight=False)


def compile_kernels(console: Console) -> None:
    """In a process of their own, where Triton may warn of itself.

    Raises:
        SystemExit: One does not compile, or does not fit.
    """
    command = [sys.executable, "-m", "benchmarks.gpu.kernels"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    console.print(done.stdout, highlight=False, markup=False)
    if done.returncode != 0:
        sys.exit(done.stderr)


def summary(part: PartResult) -> str:
    """That it was checked."""
    parity = part.parity
    return (
        f"labels as the eager model's {part.labels_agree:.4f}, "
        f"C++ label maps as Python's {parity.equal_images} of {parity.images}"
    )


def check(record: GpuRecord) -> None:
    """That both languages said the same of every image.

    Raises:
        SystemExit: They did not.
    """
    unlike = [p.name for p in record.parts if p.parity.equal_images < p.parity.images]
    if unlike:
        sys.exit(f"label maps of C++ and Python differ: {', '.join(unlike)}")
