"""Writes the page on CTS, trained on the street scenes, beside what merges without training."""

from pathlib import Path

from benchmarks.bench.tables import as_text, columns, indented
from benchmarks.pages.common import PAGES, Record, commits, page_of, written

PAGE = PAGES / "cts.md"
_INTRODUCTION = """# CTS on the street scenes

`--weights demo_cts`, which `examples/scenes/train_cts.py` trained to share tokens, beside the demo
merged without training, on the {images} held-out scenes (`python examples/scenes/evaluate_cts.py`):
mIoU in percent, and GFLOPs of an image that keeps as many tokens as the mean. Those of CTS count
its policy. "Tuned" are the weights trained with sharing, and used without it; at blocks after 0
Mutual Pair Merging merges what CTS has left.
"""
_POLICY = """
Its policy calls {right:.1%} of the squares of 32 × 32 pixels rightly of one class or of several. Of
those that are shared {shared_right:.1%} are of one class, of all {one_class:.1%}.
"""


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    return page_of(PAGE, "cts_accuracy", _page)


def _page(record: Record) -> str:
    head = _INTRODUCTION.format(images=record["images"])
    policy = _POLICY.format(**record["policy"])
    by = written(f"torch {record['versions']['torch']}", commits([record["commit"]]))
    return "\n".join([head, indented(_table(record)) + policy, by])


def _table(record: Record) -> str:
    table = columns(("model",), ("GFLOPs", "tokens kept", "mIoU"))
    for name, row in record["models"].items():
        kept = " → ".join(f"{tokens:.0f}" for tokens in row["tokens_kept"]) or "all"
        table.add_row(name, f"{row['gflops']:.1f}", kept, f"{100 * row['mean_iou']:.2f}")
    return as_text(table)
