"""Writes the page on models that are cut at their merges, against the eager model."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages.common import PAGES, Record, commits, page_of, written
from benchmarks.segments import segments_table

PAGE = PAGES / "segments.md"
_INTRODUCTION = """# Models cut at their merges, against the eager model

Three models, the first two with the demo's weights and the third with random ones, cut at the
merges of four schedules, in float32 and in float16, written as ONNX and run by ONNX Runtime on
scenes of {side} × {side} pixels, one image a call (`python -m benchmarks.segments`), against the
eager model in the same type: in how many images all counts of tokens and all merge maps are its;
patches that share their token with the same others, by the worst merge; the largest difference of
scores, and the deviation of these; labels that are its, and its in float32. That C++ writes
Python's label maps, pixel by pixel, is a test: `tests/parity/test_onnxruntime.py`.

{unequal}
"""


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    return page_of(PAGE, "segments", _page)


def _page(record: Record) -> str:
    host, rows = record["machine"], record["rows"]
    head = _INTRODUCTION.format(side=record["side"], unequal=_summary(record))
    by = written(
        f"{host['cpu']}, {host['cores']} cores",
        f"torch {record['versions']['torch']}",
        f"onnxruntime {record['onnxruntime']}",
        commits([record["commit"]]),
    )
    return "\n".join([head, indented(as_text(segments_table(rows))), by])


def _summary(record: Record) -> str:
    """Say in how many images merge maps are equal, by type, and how far scores differ."""
    sentences = []
    for dtype in dict.fromkeys(row["dtype"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["dtype"] == dtype]
        equal, images = (sum(row[name] for row in rows) for name in ("maps_equal_images", "images"))
        farthest = max(row["largest_difference"] for row in rows)
        sentences.append(
            f"In {dtype} merge maps are equal for {equal} of {images}, scores to {farthest:.1e}."
        )
    return "\n".join(sentences)
