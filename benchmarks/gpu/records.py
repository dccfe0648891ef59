"""Keeps the record of a GPU: begins it, reads it, and adds part by part."""

import json
import re
import subprocess
from dataclasses import replace
from typing import Any

import torch

from benchmarks.gpu.results import GpuRecord, PartResult
from benchmarks.gpu.stages import measure_ceilings, measure_merge_memory
from benchmarks.gpu.targets import verdicts
from benchmarks.record import RESULTS
from mpm_deploy.support.schema import read_structure


def start_record(device: torch.device) -> GpuRecord:
    """Begin a record with what is known of the GPU before any model runs."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # it is not worth a record
        driver = "unknown"
    return GpuRecord(
        gpu=torch.cuda.get_device_name(device),
        driver=driver.splitlines()[0],
        ceilings=measure_ceilings(device),
        merge_memory=measure_merge_memory(device),
    )


def measured_before() -> GpuRecord | None:
    """Read the record of this GPU; return None where there is none."""
    if not torch.cuda.is_available():
        return None
    path = RESULTS / f"{slug(torch.cuda.get_device_name())}.json"
    return read_record(json.loads(path.read_text())) if path.exists() else None


def read_record(data: dict[str, Any]) -> GpuRecord:
    """Read the record from the contents of a file that `write_result` wrote."""
    names = GpuRecord.__dataclass_fields__
    return read_structure(GpuRecord, {name: data[name] for name in names})


def has_part(record: GpuRecord, row: str, method: str) -> bool:
    """Say whether this was measured, all of it, and on weights that were trained."""
    found = [p for p in record.parts if (p.row, p.method) == (row, method)]
    return any(part.complete and part.weights != "random" for part in found)


def with_part(record: GpuRecord, part: PartResult) -> GpuRecord:
    """Return the record with this part, in place of an older one that has no more measurements."""
    key = (part.row, part.method)
    (older,) = [each for each in record.parts if (each.row, each.method) == key] or [part]
    if older.measured > part.measured:
        return record
    others = [each for each in record.parts if (each.row, each.method) != key]
    parts = (*others, part)
    return replace(record, parts=parts, verdicts=tuple(v for p in parts for v in verdicts(p)))


def name_of(record: GpuRecord) -> str:
    """Return the name of the record's file, without its suffix."""
    return slug(record.gpu)


def slug(gpu: str) -> str:
    """Turn a GPU's product name into a file name, as in ``h100-nvidia-h100-80gb-hbm3``."""
    return "h100-" + re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")
