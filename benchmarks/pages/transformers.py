"""Writes the page on models of transformers: how far artifacts agree with transformers itself."""

from pathlib import Path

from benchmarks.bench.tables import as_text, columns, indented
from benchmarks.pages.common import PAGES, Record, page_of, written

PAGE = PAGES / "transformers.md"
_INTRODUCTION = """# DINOv2, EoMT and DINOv3, against transformers

Models of transformers with random weights, read from the folders that it writes, compiled, and run
by both programs on scenes at the models' own size (`python -m benchmarks.transformers_agreement`).
An encoder without a head has one linear layer.

Full-token, against what transformers computes. "Clear" pixels are those where its best score leads
by a hundredth of the scores' deviation; their share is in brackets.
"""
_MERGED = """
Merged: late reconstruction against early, an image alone against the same in a batch, both as
largest differences of scores, and label maps of the C++ program that are those of the Python one,
pixel by pixel.
"""


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    return page_of(PAGE, "transformers_agreement", _page)


def _page(record: Record) -> str:
    host, versions = record["machine"], record["versions"]
    where = written(
        *(f"{host['cpu']}, {host['cores']} cores", f"recipe {record['recipe']}"),
        *(f"torch {versions['torch']}", f"transformers {record['transformers']}"),
        f"commit {record['commit']}",
    )
    full_token, merged = (indented(text) for text in (_full_token(record), _merged(record)))
    return "\n".join([_INTRODUCTION, full_token + _MERGED, merged, where])


def _full_token(record: Record) -> str:
    figures = ("images", "deviation", "largest difference", "labels equal, Python", "and C++")
    table = columns(("model",), (*figures, "where clear"))
    for row in record["full_token"]:
        clear = min(row["Python_clear_equal"], row["C++_clear_equal"])
        table.add_row(
            row["model"],
            str(row["images"]),
            f"{row['deviation_of_scores']:.3f}",
            f"{row['largest_difference']:.1e}",
            f"{row['Python_labels_equal']:.4%}",
            f"{row['C++_labels_equal']:.4%}",
            f"{clear:.4%} ({row['clear_pixels']:.1%})",
        )
    return as_text(table)


def _merged(record: Record) -> str:
    figures = ("blocks", "tokens kept", "late to early", "alone to batch", "equal label maps")
    table = columns(("model",), figures)
    for row in record["merged"]:
        table.add_row(
            row["model"],
            ", ".join(map(str, row["blocks"])),
            " → ".join(f"{tokens:.0f}" for tokens in row["tokens_kept"]),
            f"{row['late_to_early']:.1e}",
            f"{row['alone_to_batch']:.1e}",
            f"{row['programs_equal_images']} of {row['images']}",
        )
    return as_text(table)
