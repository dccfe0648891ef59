"""Defines the record of a GPU, as it lies in ``benchmarks/results/h100-<gpu>.json``.

It grows part by part, and each part is judged as it comes.
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bench.targets import Verdict
from benchmarks.gpu.results import Ceilings, MergeMemory, PartResult
from benchmarks.gpu.targets import verdicts
from benchmarks.record import RESULTS
from mpm_deploy.support.schema import read_structure


@dataclass(frozen=True)
class GpuRecord:
    """The record of one GPU, by its product name and its driver's version: all parts measured on
    it, and whether they met the targets.
    """

    gpu: str
    driver: str
    ceilings: Ceilings
    merge_memory: MergeMemory
    parts: tuple[PartResult, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of the record's file, without its suffix."""
        return slug(self.gpu)

    def has(self, row: str, method: str) -> bool:
        """Say whether this was measured, all of it, and on weights that were trained."""
        found = [p for p in self.parts if (p.row, p.method) == (row, method)]
        return any(part.complete and part.weights != "random" for part in found)

    def with_part(self, part: PartResult) -> "GpuRecord":
        """Return the record with this part, in place of an older one that has no more
        measurements.
        """
        older = [p for p in self.parts if p.name == part.name]
        if any(each.measured > part.measured for each in older):
            return self
        parts = (*(p for p in self.parts if p.name != part.name), part)
        return replace(self, parts=parts, verdicts=tuple(v for p in parts for v in verdicts(p)))


def read_record(path: Path) -> GpuRecord:
    """Read a file that `write_result` wrote."""
    return read_structure(GpuRecord, json.loads(path.read_text()), unknown_keys=True)


def on_file(gpu: str) -> GpuRecord | None:
    """Read the record of a GPU; return None where there is none."""
    path = RESULTS / f"{slug(gpu)}.json"
    return read_record(path) if path.exists() else None


def slug(gpu: str) -> str:
    """Turn a GPU's product name into a file name, as in ``h100-nvidia-h100-80gb-hbm3``."""
    return "h100-" + re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")
