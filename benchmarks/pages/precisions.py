"""Writes the page on what a precision costs in accuracy, by class."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages.common import PAGES, Record, of_record, page_of
from benchmarks.precisions import precisions_table

PAGE = PAGES / "precisions.md"
_INTRODUCTION = """# What bfloat16 and int8 cost in accuracy

The demo model by `cpu_fp32`, `cpu_bf16` and `cpu_int8`, full-token, merged by the recipes' own
schedule and by another (`python -m benchmarks.precisions`): IoU in percent on {images} of the
held-out scenes. Int8 is calibrated on the others. "Lost" is mIoU against float32 by the same
schedule, in points; below 0 is more than float32 has.
"""


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    return page_of(PAGE, "precisions", _page)


def _page(record: Record) -> str:
    rows = record["rows"]
    head = _INTRODUCTION.format(images=rows[0]["images"])
    return "\n".join([head, indented(as_text(precisions_table(rows))), of_record(record)])
