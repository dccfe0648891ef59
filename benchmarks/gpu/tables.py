"""The record as tables."""

from collections.abc import Iterable, Iterator

from rich import box
from rich.table import Table

from benchmarks.gpu.results import GpuRecord, PartResult
from benchmarks.gpu.subjects import SUBJECTS
from benchmarks.gpu.targets import MANY
from benchmarks.paper import PaperRow, paper_row
from mpm_deploy.measure.report import Ratio

_SHOWN_KERNELS = 12


def speed_table(parts: Iterable[PartResult]) -> Table:
    """Model FPS of both models at each batch size beside the paper's, by the C++ program."""
    table = _table(
        *("model", "dtype", "batch", "full-token FPS", "merged FPS", "ratio", "FLOP ratio"),
        *("end-to-end FPS", "Python", "tokens kept", "paper: full-token", "merged", "ratio"),
    )
    for part in parts:
        for cells in _speed_rows(part):
            table.add_row(*cells)
        table.add_section()
    return table


def stages_table(parts: Iterable[PartResult]) -> Table:
    """What merging costs, and what decoding merged tokens gains."""
    table = _table(
        *("model", "dtype", "batch", "forward ms", "merges ms", "reconstruction ms", "share"),
        "over decoding all",
    )
    for part in parts:
        stages, early = part.stages, part.before_decoder.comparison
        assert early is not None
        table.add_row(
            *(part.model, part.dtype, str(stages.batch_size), f"{stages.forward:.2f}"),
            " + ".join(f"{merge:.2f}" for merge in stages.merges),
            *(f"{stages.reconstruction:.2f}", f"{stages.share:.1%}"),
            f"{early.results[-1].model_fps_ratio.median:.2f}",
        )
    return table


def kernels_table(part: PartResult) -> Table:
    """The longest kernels of one forward."""
    table = _table("kernel", "calls", "ms")
    for kernel in part.kernels[:_SHOWN_KERNELS]:
        table.add_row(kernel.name[:100], str(kernel.calls), f"{kernel.milliseconds:.3f}")
    return table


def notes(record: GpuRecord) -> Iterator[str]:
    """What else there is to say."""
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
        yield (
            f"{part.model} {part.dtype}: weights {part.weights}; labels as the eager model's: "
            f"{part.labels_agree:.4f}."
        )


def _speed_rows(part: PartResult) -> Iterator[tuple[str, ...]]:
    comparison = part.cpp.comparison
    assert comparison is not None
    languages = zip(part.cpp.results, comparison.results, part.python.results, strict=True)
    for measured, ratio, python in languages:
        yield (
            *(part.model, part.dtype, str(measured.batch_size)),
            *(f"{ratio.against.model_fps:.0f}", f"{measured.model_fps:.0f}"),
            *(f"{ratio.model_fps_ratio.median:.2f}", f"{ratio.flop_ratio:.2f}"),
            *(f"{measured.end_to_end_fps:.0f}", f"{python.end_to_end_fps:.0f}"),
            " → ".join(f"{tokens:.0f}" for tokens in measured.tokens_kept.mean),
            *_of_paper(part, ratio),
        )


def _of_paper(part: PartResult, ratio: Ratio) -> tuple[str, str, str]:
    name = SUBJECTS[part.model].paper.get(part.dtype)
    if name is None or ratio.batch_size != MANY:
        return ("", "", "")
    row: PaperRow = paper_row(name, part.dtype)
    return (f"{row.full_token_fps:.0f}", f"{row.merged_fps:.0f}", f"{row.ratio:.2f}")


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        is_word = name in ("model", "dtype", "kernel")
        table.add_column(name, justify="left" if is_word else "right")
    return table
