"""Writes the page on where the time of a compiled model goes on a CPU."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.cpu_parts import parts_table
from benchmarks.pages.common import PAGES, Record, of_record, page_of

PAGE = PAGES / "cpu_parts.md"
_INTRODUCTION = """# Where the time goes on a CPU

The merged demo model by `cpu_fp32`, `cpu_bf16` and `cpu_int8` on one core, {images} images in
turns (`python -m benchmarks.cpu_parts`): CPU milliseconds of an image, by what kind of code Linux's
`perf` found running. Below are the GFLOP/s of both kinds of products, and of products of matrices
alone on that core; in int8 attention is in bfloat16, and neighbors are searched in float32
everywhere.
"""


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    return page_of(PAGE, "cpu_parts", _page)


def _page(record: Record) -> str:
    head = _INTRODUCTION.format(images=record["images"])
    return "\n".join([head, indented(as_text(parts_table(record["rows"]))), of_record(record)])
