"""Makes tables of the record."""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.table import Table

from benchmarks.gpu.floor import Gap, gaps
from benchmarks.gpu.kinds import kinds
from benchmarks.gpu.methods import METHODS
from benchmarks.gpu.results import Ceilings, GpuRecord, Parity, PartResult, Profile, timed
from benchmarks.gpu.subjects import SUBJECTS
from benchmarks.gpu.targets import largest, ratio_of
from mpm_deploy.measure.speed.report import Measurement

_SHOWN_KERNELS = 12
_WORDS = ("row", "method", "kernel", "kind", "table")
# Whose kernels are told: the issue is where their time goes. Rows of a name, and the batch.
TOLD = (("seg_l16_mask", 32), ("seg_b16_mask", 32), ("seg_t16_mask", 1))


def speed_table(parts: Iterable[PartResult]) -> Table:
    """Make a table of both models' model FPS at each batch size, by the C++ program."""
    table = _table(
        *("row", "method", "batch", "full-token FPS", "merged FPS", "ratio", "FLOP ratio"),
        *("end-to-end FPS", "Python", "tokens kept", "labels equal"),
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
    table = _table(
        *("table", "row", "full-token FPS", "MPM FPS", "MPM ratio", "FLOPs"),
        *("ToMe ratio", "FLOPs", "ALGM ratio", "FLOPs"),
    )
    for name, subject in SUBJECTS.items():
        measured = {part.method: part for part in timed(parts) if part.row == name}
        if measured:
            number = str(subject.row.table) if subject.in_paper else "–"
            table.add_row(number, name, *_beside_paper(name, measured))
    return table


def stages_table(parts: Iterable[PartResult]) -> Table:
    """Make a table of what merging costs."""
    table = _table(
        *("row", "batch", "forward ms", "merges ms", "reconstruction ms", "share"),
    )
    for part in parts:
        stages = part.stages
        if stages is None:
            continue
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
    table = _table(
        *("row", "method", "batch", "operations ms", "bytes ms", "activations ms", "floor ms"),
        *("took ms", "gap ms", "× floor"),
    )
    for part in timed(record.parts):
        for gap in gaps(part, record.ceilings):
            table.add_row(*_gap_cells(gap))
        table.add_section()
    return table


def kinds_table(part: PartResult, profile: Profile, ceilings: Ceilings) -> Table:
    """Make a table of where the time of one forward goes, each kind of kernel beside its floor."""
    table = _table("row", "batch", "kind", "calls", "ms", "floor ms", "gap ms")
    for kind in kinds(part, profile, ceilings):
        table.add_row(
            *(name_of(part, profile), str(profile.batch_size), kind.kind, str(kind.calls)),
            *(f"{kind.milliseconds:.3f}", f"{kind.floor:.3f}"),
            f"{kind.milliseconds - kind.floor:.3f}",
        )
    return table


def name_of(part: PartResult, profile: Profile) -> str:
    """Name the model that was profiled."""
    return part.name if profile.merged else f"{part.row} full-token"


def kernels_table(profile: Profile) -> Table:
    """Make a table of the longest kernels of one forward."""
    table = _table("kernel", "calls", "ms")
    for kernel in profile.kernels[:_SHOWN_KERNELS]:
        table.add_row(kernel.name[:90], str(kernel.calls), f"{kernel.milliseconds:.3f}")
    return table


def told_profiles(parts: Iterable[PartResult]) -> Iterator[tuple[PartResult, Profile]]:
    """Yield the profiles at 512 pixels whose kernels are listed one by one."""
    for part in timed(parts):
        subject = SUBJECTS[part.row]
        if part.method != "mpm" or subject.row.dataset != "ade20k":
            continue
        for profile in part.profiles:
            if (subject.model, profile.batch_size) in TOLD:
                yield part, profile


def notes(record: GpuRecord) -> Iterator[str]:
    """Yield sentences on what the tables do not show."""
    ceilings, memory = record.ceilings, record.merge_memory
    rates = ", ".join(f"{rate:.0f} TFLOP/s {name}" for name, rate in ceilings.matrix_tflops.items())
    yield (
        f"{record.gpu}, driver {record.driver}: copies {ceilings.copy_gb_per_s:.0f} GB/s, {rates}."
    )
    yield (
        f"A merge of {memory.tokens} tokens of {memory.width} in {memory.dtype} "
        f"({memory.tokens_mib:.0f} MiB) held {memory.peak_mib:.0f} MiB more."
    )
    for part in record.parts:
        said = f"{part.name}: weights {part.weights}; labels as the eager model's: "
        yield f"{said}{part.labels_agree:.4f}; C++ label maps as Python's: {_alike(part.parity)}."


def _alike(parity: Parity | None) -> str:
    if parity is None:
        return "not compared"
    images = f"{parity.equal_images} of {parity.images} images"
    return f"{images}, {parity.equal_pixels:.4%} of the pixels"


def _speed_rows(part: PartResult) -> Iterator[tuple[str, ...]]:
    comparison = part.speed.comparison
    assert comparison is not None
    python = {each.batch_size: each for each in (part.python.results if part.python else ())}
    for measured, ratio in zip(part.speed.results, comparison.results, strict=True):
        yield (
            *(part.row, part.method, str(measured.batch_size)),
            *(f"{ratio.against.model_fps:.0f}", f"{measured.model_fps:.0f}"),
            *(f"{ratio.model_fps_ratio.median:.2f}", f"{ratio.flop_ratio:.2f}"),
            *(f"{measured.end_to_end_fps:.0f}", _end_to_end(python.get(measured.batch_size))),
            " → ".join(f"{tokens:.0f}" for tokens in measured.tokens_kept.mean),
            f"{part.parity.equal_pixels:.2%}" if part.parity else "–",
        )


def _end_to_end(measured: Measurement | None) -> str:
    return "–" if measured is None else f"{measured.end_to_end_fps:.0f}"


def _beside_paper(row: str, measured: dict[str, PartResult]) -> Iterator[str]:
    paper = SUBJECTS[row].paper
    fps = paper.fps if paper else {}
    ratios = {method: ratio_of(part.speed) for method, part in measured.items()}
    mpm = ratios.get("mpm")
    yield _both(next(iter(ratios.values())).against.model_fps, fps.get("full"), ".0f")
    yield _both(largest(measured["mpm"].speed).model_fps if mpm else None, fps.get("mpm"), ".0f")
    for method in METHODS:
        ratio = ratios.get(method)
        ours = ratio.model_fps_ratio.median if ratio else None
        yield _both(ours, paper.ratio(method) if paper else None, ".2f")
        yield f"{ratio.flop_ratio:.2f}" if ratio else "–"


def _both(ours: float | None, paper: float | None, form: str) -> str:
    return " / ".join("–" if value is None else format(value, form) for value in (ours, paper))


def _gap_cells(gap: Gap) -> tuple[str, ...]:
    floor = gap.floor
    times = (floor.operations, floor.bytes, floor.activations, floor.least)
    return (
        *(gap.row, gap.method, str(gap.batch_size)),
        *(f"{ms:.3f}" for ms in (*times, gap.milliseconds, gap.gap)),
        f"{gap.times:.2f}",
    )


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in _WORDS else "right")
    return table
