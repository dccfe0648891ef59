"""The paper's H100 tables, measured anew: ``python -m benchmarks.h100``

Builds every model merged and full-token, checks it against the eager model, and times both in turns
at batch 1, 2 and 32, with the C++ program and the Python one. A model without weights is trained
first, some minutes on procedural scenes, for trained features decide how much merges. In parts:

    python -m benchmarks.h100 --models seg_l16_mask --precisions bfloat16

Writes ``benchmarks/results/h100-<gpu>.json``, in which other parts stay as they are.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/h100.py`

from benchmarks.gpu import prepare
from benchmarks.gpu.results import GpuRecord, PartResult
from benchmarks.gpu.stages import (
    measure_ceilings,
    measure_kernels,
    measure_merge_memory,
    measure_stages,
)
from benchmarks.gpu.subjects import RECIPES, SUBJECTS, Subject
from benchmarks.gpu.tables import kernels_table, notes, speed_table, stages_table
from benchmarks.gpu.targets import verdicts
from benchmarks.peers.tables import verdicts_table
from benchmarks.record import RESULTS, ROOT, current_commit, write_result
from mpm_deploy.backends import open_artifact
from mpm_deploy.build import make_model
from mpm_deploy.images import find_images, fit, to_tensor
from mpm_deploy.measure.bench import bench
from mpm_deploy.measure.report import Report
from mpm_deploy.recipe import Recipe
from mpm_deploy.structure import read_structure, to_mapping

BATCH_SIZES = (1, 2, 32)
CPP_RUNNER = ROOT / "build" / "cpp_runner"


def main() -> None:
    arguments = parse_arguments()
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device: run this on a machine with an H100")
    console, device = Console(width=170), torch.device("cuda")
    record = measured_before() or start_record(device)
    images = prepare.scenes(arguments.images)
    for model in arguments.models:
        weights = prepare.weights(SUBJECTS[model], arguments.train_minutes)
        for dtype in arguments.precisions:
            part = Part(SUBJECTS[model], dtype, weights, images, arguments.repeats)
            record = with_part(record, part.measure())
            write_result(name_of(record), to_mapping(record))
            console.print(kernels_table(record.parts[-1]))
    show(record, console)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=[*SUBJECTS], default=[*SUBJECTS])
    parser.add_argument("--precisions", nargs="+", choices=[*RECIPES], default=[*RECIPES])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument(
        "--train-minutes", type=float, default=2.0, help="of a model without weights; 0: random"
    )
    return parser.parse_args()


@dataclass(frozen=True)
class Part:
    """One model in one precision, and what it is timed on."""

    subject: Subject
    dtype: str
    weights: str
    images: Path
    repeats: int

    def measure(self) -> PartResult:
        """All that is known of it."""
        artifacts = prepare.artifacts(self.recipe, self.subject.model)
        merged, full_token = artifacts["merged"], artifacts["full_token"]
        manifest, program = open_artifact(merged, None)
        batch = self._batch(program.device)
        model, _ = make_model(self.recipe)
        stages = measure_stages(model, program, batch)
        kernels = measure_kernels(program, batch)
        del model, program, batch  # the GPU is the engines' now
        return PartResult(
            model=self.subject.model,
            dtype=self.dtype,
            weights=prepare.describe(self.weights),
            patches=manifest.patches,
            labels_agree=manifest.agreement.labels,
            cpp=self._cpp(merged, full_token),
            python=self._python(merged, full_token, BATCH_SIZES),
            before_decoder=self._python(merged, artifacts["before_decoder"], BATCH_SIZES[-1:]),
            stages=stages,
            kernels=kernels,
            commit=current_commit(),
        )

    @cached_property
    def recipe(self) -> Recipe:
        """Of the merged artifact."""
        return self.subject.recipe(self.dtype, self.weights)

    def _batch(self, device: torch.device) -> Tensor:
        """The first images, ``(B, 3, H, W)`` uint8."""
        files = find_images(self.images)[: BATCH_SIZES[-1]]
        size = self.recipe.model.image_size or (512, 512)
        return torch.stack([fit(to_tensor(file), size) for file in files]).to(device)

    def _python(self, artifact: Path, against: Path, batch_sizes: tuple[int, ...]) -> Report:
        return bench(
            artifact, self.images, against=against, batch_sizes=batch_sizes, repeats=self.repeats
        )

    def _cpp(self, artifact: Path, against: Path) -> Report:
        sizes = ",".join(map(str, BATCH_SIZES))
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            options = [f"--batch={sizes}", f"--repeats={self.repeats}", f"--json={report}"]
            command = [CPP_RUNNER, artifact, self.images, f"--against={against}", *options]
            subprocess.run(command, check=True)
            return read_structure(Report, json.loads(report.read_text()))


def start_record(device: torch.device) -> GpuRecord:
    """What is known of the GPU before any model runs."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return GpuRecord(
        gpu=torch.cuda.get_device_name(device),
        driver=driver.splitlines()[0],
        ceilings=measure_ceilings(device),
        merge_memory=measure_merge_memory(device),
    )


def measured_before() -> GpuRecord | None:
    """The record of this GPU, if there is one."""
    path = RESULTS / f"{slug(torch.cuda.get_device_name())}.json"
    return read_record(json.loads(path.read_text())) if path.exists() else None


def read_record(data: dict[str, Any]) -> GpuRecord:
    """Of a file that `write_result` wrote."""
    names = GpuRecord.__dataclass_fields__
    return read_structure(GpuRecord, {name: data[name] for name in names})


def with_part(record: GpuRecord, part: PartResult) -> GpuRecord:
    """The record with this part, in place of an older one."""
    key = (part.model, part.dtype)
    others = [each for each in record.parts if (each.model, each.dtype) != key]
    parts = (*others, part)
    return replace(record, parts=parts, verdicts=tuple(v for p in parts for v in verdicts(p)))


def show(record: GpuRecord, console: Console) -> None:
    """Its tables."""
    console.print(speed_table(record.parts))
    console.print(stages_table(record.parts))
    for note in notes(record):
        console.print(note, highlight=False, markup=False)
    console.print(verdicts_table(record.verdicts))


def name_of(record: GpuRecord) -> str:
    """Of its file."""
    return slug(record.gpu)


def slug(gpu: str) -> str:
    """As in ``h100-nvidia-h100-80gb-hbm3``."""
    return "h100-" + re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")


if __name__ == "__main__":
    main()
