"""Runs small stand-ins for the paper's rows, so that all steps can be tried where there is no GPU.

    python -m benchmarks.gpu.rehearsal OUT     after run.sh: renders its record, says what is left

A stand-in has the row's special tokens, decoder, class count and way of merging, the width of
ViT-T, and a small input; the portable recipe builds it for a CPU. All else is what runs on a GPU.
Rows that differ in size or precision alone have the same stand-in, which is built once for each way
of merging. Nothing in its record is a measurement.
"""

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.gpu.measure import Conditions, Part
from benchmarks.gpu.prepare import scenes
from benchmarks.gpu.record import GpuRecord, read_record, slug
from benchmarks.gpu.rows import Subject
from benchmarks.gpu.stages import measure_ceilings, measure_merge_memory
from mpm_deploy.recipe import Recipe, load_recipe

GPU = "rehearsal on a CPU"
RECIPE, SIDE, COUNT = "cpu_portable_fp32", 96, 8  # pixels, images


@dataclass(frozen=True)
class StandIn(Subject):
    """A small model that stands in for a row's, under the row's name."""

    def recipe(self, method: str, weights: str) -> Recipe:
        """Return the recipe of the small model, merged as the row's."""
        real = super().recipe(method, weights)
        small = load_recipe(RECIPE).override(
            # The tiny model that has the same special tokens and decoder.
            f"model.name={re.sub(r'[tsbl][0-9]+_', 't16_', self.model)}",
            f"model.weights={weights}",
            f"model.image_size=[{SIDE}, {SIDE}]",
            f"model.classes={real.model.classes}",
        )
        return replace(small, merge=real.merge)


def part_of(subject: Subject, method: str, conditions: Conditions | None = None) -> Part:
    """Return a row's part, with its stand-in and random weights."""
    stand_in = StandIn(subject.row, subject.in_paper)
    return Part(stand_in, method, "random", conditions or small_conditions())


def small_conditions(images: Path | None = None) -> Conditions:
    """Return conditions with few images, and batches that a CPU finishes in seconds."""
    return Conditions(
        images=images or scenes(COUNT),
        repeats=1,
        batch_sizes=(1, 2),
        parity_images=COUNT,
        timed_images=COUNT,
        timed_images_slow=COUNT,
        warmup=1,
    )


def use_one_thread() -> None:
    """Use one thread, in this process and in those it starts."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def start_record() -> GpuRecord:
    """Begin a record like a GPU's, for this CPU."""
    cpu = torch.device("cpu")
    return GpuRecord(
        gpu=GPU,
        driver="none",
        ceilings=measure_ceilings(cpu, shapes=((256, 256, 256),), size=1 << 20),
        merge_memory=measure_merge_memory(cpu, tokens=256),
    )


def render(out: Path) -> None:
    """Render the README's part, the page and the figures of a rehearsal's record; they
    are not kept.

    Raises:
        SystemExit: There is no record, or both languages did not say the same of every image.
    """
    from benchmarks.pages import gpu as pages

    path = out / f"{slug(GPU)}.json"
    if not path.exists():
        sys.exit(f"{path}: it is not there: no part was timed; {out / 'log.txt'} says why")
    parts = read_record(path).parts
    unlike = [p.name for p in parts if not p.parity or p.parity.equal_pixels < 1]
    if unlike:
        sys.exit(f"label maps of C++ and Python differ: {', '.join(unlike)}")
    texts = {"README's part": pages.readme_part(path), "docs/results/h100.md": pages.page(path)}
    texts |= {file.name: text for file, text in pages.drawn(path).items()}
    for name, text in texts.items():
        print(f"rendered {name}: {len(text.splitlines())} lines")


def what_is_left(minutes: float) -> None:
    """Print the steps that only a GPU can do, and the seconds that each is allowed."""
    from benchmarks.gpu.schedule import schedule

    print(f"\nA GPU alone can tell what these give, in {minutes:.0f} minutes; seconds allowed:")
    for step in schedule(60 * minutes):
        if step.name not in ("scenes", "cpp_runner"):
            print(f"{step.seconds:6.0f} s  {step.name}")


if __name__ == "__main__":
    render(Path(sys.argv[1]))
    what_is_left(minutes=10)
