"""Makes tables and sentences of the record."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table

from benchmarks.bench.agreement import Agreement
from benchmarks.bench.tables import columns, verdicts_table
from benchmarks.gpu.floors import gaps, kinds
from benchmarks.gpu.results import GpuRecord, PartResult, Profile, timed
from benchmarks.gpu.rows import METHODS, SUBJECTS
from mpm_deploy.measure.speed.report import Measurement
from mpm_deploy.show.tables.style import tokens

_SHOWN_KERNELS = 12
# Whose kernels are told: the issue is where their time goes. Rows of a name, and the batch.
TOLD = (("seg_l16_mask", 32), ("seg_b16_mask", 32), ("seg_t16_mask", 1))


def every_table(record: GpuRecord) -> Iterator[tuple[str, Table]]:
    """Yield every table with its title."""
    yield "Beside the paper", paper_table(record.parts)
    yield "Every batch size", speed_table(record.parts)
    yield "Merging", stages_table(record.parts)
    yield "The floor, and the gap", floors_table(record)
    yield "Targets", verdicts_table(record.verdicts)
    for part, profile in told_profiles(record.parts):
        name = f"{part.name if profile.merged else f'{part.row} full-token'}"
        name = f"{name}, batch {profile.batch_size}"
        yield f"Where the time goes: {name}", kinds_table(record, part, profile)
        yield f"Kernels: {name}", kernels_table(profile)


def speed_table(parts: Iterable[PartResult]) -> Table:
    """Make a table of both models' model FPS at each batch size, by the C++ program."""
    table = columns(
        ("row", "method"),
        (
            *("batch", "full-token FPS", "merged FPS", "ratio", "FLOP ratio"),
            *("end-to-end FPS", "Python", "tokens kept", "labels equal"),
        ),
    )
    for part in timed(parts):
        for cells in _speed_rows(part):
            table.add_row(*cells)
        table.add_section()
    return table


def paper_table(parts: Sequence[PartResult]) -> Table:
    """Make a table with one line per row, at the largest batch: our figure, and after
    the slash the paper's.
    """
    table = columns(
        ("table", "row"),
        (
            *("full-token FPS", "MPM FPS", "MPM ratio", "FLOPs"),
            *("ToMe ratio", "FLOPs", "ALGM ratio", "FLOPs"),
        ),
    )
    for name, subject in SUBJECTS.items():
        measured = {part.method: part for part in timed(parts) if part.row == name}
        if measured:
            number = str(subject.row.table) if subject.in_paper else "–"
            table.add_row(number, name, *_beside_paper(name, measured))
    return table


def stages_table(parts: Iterable[PartResult]) -> Table:
    """Make a table of what merging costs, in milliseconds of a batch."""
    figures = ("batch", "forward ms", "merges ms", "reconstruction ms", "share")
    table = columns(("row",), figures)
    for part in parts:
        if part.stages is not None:
            stages = part.stages
            table.add_row(
                *(part.row, str(stages.batch_size), f"{stages.forward:.2f}"),
                " + ".join(f"{merge:.2f}" for merge in stages.merges),
                *(f"{stages.reconstruction:.2f}", f"{stages.share:.1%}"),
            )
    return table


def floors_table(record: GpuRecord) -> Table:
    """Make a table of each forward's floor, its measured time and the gap, in
    milliseconds of a batch.
    """
    times = ("operations ms", "bytes ms", "activations ms", "floor ms", "took ms", "gap ms")
    table = columns(("row", "method"), ("batch", *times, "× floor"))
    for part in timed(record.parts):
        for gap in gaps(part, record.ceilings):
            floor = gap.floor
            floors = (floor.operations, floor.bytes, floor.activations, floor.least)
            table.add_row(
                *(gap.row, gap.method, str(gap.batch_size)),
                *(f"{ms:.3f}" for ms in (*floors, gap.milliseconds, gap.gap)),
                f"{gap.times:.2f}",
            )
        table.add_section()
    return table


def kinds_table(record: GpuRecord, part: PartResult, profile: Profile) -> Table:
    """Make a table of where the time of one forward goes, each kind of kernel beside its floor."""
    table = columns(("kind",), ("calls", "ms", "floor ms", "gap ms"))
    for kind in kinds(part, profile, record.ceilings):
        times = (kind.milliseconds, kind.floor, kind.milliseconds - kind.floor)
        table.add_row(kind.kind, str(kind.calls), *(f"{ms:.3f}" for ms in times))
    return table


def kernels_table(profile: Profile) -> Table:
    """Make a table of the longest kernels of one forward."""
    table = columns(("kernel",), ("calls", "ms"))
    for kernel in profile.kernels[:_SHOWN_KERNELS]:
        table.add_row(kernel.name[:90], str(kernel.calls), f"{kernel.milliseconds:.3f}")
    return table


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
        said = f"{part.name}: weights {part.weights}; labels as the eager model's: "
        yield f"{said}{part.labels_agree:.4f}; C++ label maps as Python's: {_alike(part.parity)}."


def _alike(parity: Agreement | None) -> str:
    if parity is None:
        return "not compared"
    images = f"{parity.equal_images} of {parity.images} images"
    return f"{images}, {parity.equal_pixels:.4%} of the pixels"


def _speed_rows(part: PartResult) -> Iterator[tuple[str, ...]]:
    python = {each.batch_size: each for each in (part.python.results if part.python else ())}
    measured = {each.batch_size: each for each in part.speed.results}
    for ratio in part.ratios:
        merged = measured[ratio.batch_size]
        yield (
            *(part.row, part.method, str(ratio.batch_size)),
            *(f"{ratio.against.model_fps:.0f}", f"{merged.model_fps:.0f}"),
            *(f"{ratio.model_fps_ratio.median:.2f}", f"{ratio.flop_ratio:.2f}"),
            *(_end_to_end(merged), _end_to_end(python.get(ratio.batch_size))),
            tokens(merged.tokens_kept.mean),
            f"{part.parity.equal_pixels:.2%}" if part.parity else "–",
        )


def _end_to_end(measured: Measurement | None) -> str:
    return "–" if measured is None else f"{measured.end_to_end_fps:.0f}"


def _beside_paper(row: str, measured: dict[str, PartResult]) -> Iterator[str]:
    paper = SUBJECTS[row].paper
    fps = paper.fps if paper else {}
    mpm, any_part = measured.get("mpm"), next(iter(measured.values()))
    yield _both(any_part.ratio.against.model_fps, fps.get("full"), ".0f")
    yield _both(mpm.largest.model_fps if mpm else None, fps.get("mpm"), ".0f")
    for method in METHODS:
        part = measured.get(method)
        ours = part.ratio.model_fps_ratio.median if part else None
        yield _both(ours, paper.ratio(method) if paper else None, ".2f")
        yield f"{part.ratio.flop_ratio:.2f}" if part else "–"


def _both(ours: float | None, paper: float | None, form: str) -> str:
    return " / ".join("–" if value is None else format(value, form) for value in (ours, paper))
