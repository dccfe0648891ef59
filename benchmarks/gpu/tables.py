"""Makes tables and sentences of the record."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table

from benchmarks.bench.tables import rows_table, verdicts_table
from benchmarks.gpu.floors import gaps, kinds
from benchmarks.gpu.record import GpuRecord
from benchmarks.gpu.results import PartResult, Profile, timed
from benchmarks.gpu.rows import METHODS, SUBJECTS
from mpm_deploy.show.tables.style import tokens

_SHOWN_KERNELS = 12
# Whose kernels are told: the issue is where their time goes. Rows of a name, and the batch.
TOLD = (("seg_l16_mask", 32), ("seg_b16_mask", 32), ("seg_t16_mask", 1))
_TITLES = {"mpm": "MPM", "tome": "ToMe", "algm": "ALGM"}

Row = dict[str, Any]


def every_table(record: GpuRecord) -> Iterator[tuple[str, Table]]:
    """Yield every table with its title."""
    yield "Beside the paper", rows_table(paper_rows(record))
    yield "Every batch size", rows_table(speed_rows(record))
    yield "Merging", rows_table(stages_rows(record))
    yield "The floor, and the gap, in milliseconds of a batch", rows_table(floor_rows(record))
    yield "Targets", verdicts_table(record.verdicts)
    for part, profile in told_profiles(record.parts):
        name = part.name if profile.merged else f"{part.row} full-token"
        name = f"{name}, batch {profile.batch_size}"
        yield f"Where the time goes: {name}", rows_table(kind_rows(record, part, profile))
        yield f"Kernels: {name}", rows_table(kernel_rows(profile))


def paper_rows(record: GpuRecord) -> Iterator[Row]:
    """Yield one line per row, at the largest batch: our figure, and after the slash the paper's."""
    for name, subject in SUBJECTS.items():
        ours = {part.method: part for part in timed(record.parts) if part.row == name}
        if not ours:
            continue
        paper, mpm, any_part = subject.paper, ours.get("mpm"), next(iter(ours.values()))
        fps = paper.fps if paper else {}
        row = {
            "table": subject.row.table if subject.in_paper else None,
            "row": name,
            "full-token FPS": _both(any_part.ratio.against.model_fps, fps.get("full"), ".0f"),
            "MPM FPS": _both(mpm.largest.model_fps if mpm else None, fps.get("mpm"), ".0f"),
        }
        for method in METHODS:
            ratio = ours[method].ratio if method in ours else None
            gain = ratio.model_fps_ratio.median if ratio else None
            row[f"{_TITLES[method]} ratio"] = _both(gain, paper and paper.ratio(method), ".2f")
            row[f"{_TITLES[method]} FLOPs"] = f"{ratio.flop_ratio:.2f}" if ratio else None
        yield row


def speed_rows(record: GpuRecord) -> Iterator[Row]:
    """Yield both models' model FPS at each batch size, by the C++ program."""
    for part in timed(record.parts):
        merged = {each.batch_size: each for each in part.speed.results}
        python = {each.batch_size: each for each in (part.python.results if part.python else ())}
        for ratio in part.ratios:
            size = ratio.batch_size
            yield {
                "row": part.row,
                "method": part.method,
                "batch": size,
                "full-token FPS": f"{ratio.against.model_fps:.0f}",
                "merged FPS": f"{merged[size].model_fps:.0f}",
                "ratio": f"{ratio.model_fps_ratio.median:.2f}",
                "FLOP ratio": f"{ratio.flop_ratio:.2f}",
                "end-to-end FPS": f"{merged[size].end_to_end_fps:.0f}",
                "Python": f"{python[size].end_to_end_fps:.0f}" if size in python else None,
                "tokens kept": tokens(merged[size].tokens_kept.mean),
                "labels equal": f"{part.parity.equal_pixels:.2%}" if part.parity else None,
            }


def stages_rows(record: GpuRecord) -> Iterator[Row]:
    """Yield what merging costs, in milliseconds of a batch."""
    for part in record.parts:
        if part.stages is not None:
            yield {
                "row": part.row,
                "batch": part.stages.batch_size,
                "forward ms": f"{part.stages.forward:.2f}",
                "merges ms": " + ".join(f"{merge:.2f}" for merge in part.stages.merges),
                "reconstruction ms": f"{part.stages.reconstruction:.2f}",
                "share": f"{part.stages.share:.1%}",
            }


def floor_rows(record: GpuRecord) -> Iterator[Row]:
    """Yield each forward's floor, its measured time and the gap."""
    for part in timed(record.parts):
        for gap in gaps(part, record.ceilings):
            yield {
                "row": gap.row,
                "method": gap.method,
                "batch": gap.batch_size,
                "operations": gap.floor.operations,
                "bytes": gap.floor.bytes,
                "activations": gap.floor.activations,
                "floor": gap.floor.least,
                "took": gap.milliseconds,
                "gap": gap.gap,
                "× floor": f"{gap.times:.2f}",
            }


def kind_rows(record: GpuRecord, part: PartResult, profile: Profile) -> Iterator[Row]:
    """Yield where the time of one forward goes, each kind of kernel beside its floor."""
    for kind in kinds(part, profile, record.ceilings):
        took, floor = kind.milliseconds, kind.floor
        yield {
            "kind": kind.kind,
            "calls": kind.calls,
            "ms": took,
            "floor ms": floor,
            "gap ms": took - floor,
        }


def kernel_rows(profile: Profile) -> Iterator[Row]:
    """Yield the longest kernels of one forward."""
    for kernel in profile.kernels[:_SHOWN_KERNELS]:
        yield {"kernel": kernel.name[:90], "calls": kernel.calls, "ms": kernel.milliseconds}


def told_profiles(parts: Iterable[PartResult]) -> Iterator[tuple[PartResult, Profile]]:
    """Yield the profiles at 512 pixels whose kernels are listed one by one."""
    for part in timed(parts):
        subject = SUBJECTS[part.row]
        if part.method == "mpm" and subject.row.dataset == "ade20k":
            for profile in part.profiles:
                if (subject.model, profile.batch_size) in TOLD:
                    yield part, profile


def notes(record: GpuRecord) -> Iterator[str]:
    """Yield sentences on what the tables do not show."""
    ceilings, memory = record.ceilings, record.merge_memory
    rates = ", ".join(f"{rate:.0f} TFLOP/s {name}" for name, rate in ceilings.matrix_tflops.items())
    copies = f"copies {ceilings.copy_gb_per_s:.0f} GB/s"
    yield f"{record.gpu}, driver {record.driver}: {copies}, {rates}."
    yield (
        f"A merge of {memory.tokens} tokens of {memory.width} in {memory.dtype} "
        f"({memory.tokens_mib:.0f} MiB) held {memory.peak_mib:.0f} MiB more."
    )
    for part in record.parts:
        alike, parity = "not compared", part.parity
        if parity is not None:
            alike = f"{parity.equal_images} of {parity.images} images"
            alike += f", {parity.equal_pixels:.4%} of the pixels"
        said = f"labels as the eager model's: {part.labels_agree:.4f}"
        yield f"{part.name}: weights {part.weights}; {said}; C++ label maps as Python's: {alike}."


def _both(ours: float | None, paper: float | None, form: str) -> str:
    return " / ".join("–" if value is None else format(value, form) for value in (ours, paper))
