"""Writes the pages on EVA-01: where its FLOPs go, and what it takes to build and to run."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.eva_flops import READINGS, SHOWN, add_up, parts_table, ratios_table
from benchmarks.eva_run import built_table, ran_table
from benchmarks.pages.common import PAGES, Record, commits, of_record, page_of, written

PAGE = PAGES / "eva_flops.md"
RUN_PAGE = PAGES / "eva_run.md"
_FLOAT32 = 19.5e12  # FLOPs a second of an A100 at most, by its data sheet, without TF32
_INTRODUCTION = """# Where EVA-01's FLOPs go

EVA-01 with ViT-Adapter and Mask2Former's head, {height} × {width} pixels and {classes} classes, as
the model counts itself (`python -m benchmarks.eva_flops`; nothing was run). The paper's Table 7 has
{full:.2f} and, merged before blocks 2 and 5, {mpm:.2f} images a second of it on an A100,
× {ratio:.2f}, and says neither FLOPs, nor tokens kept, nor what becomes of merged tokens where the
adapter reads a grid of patches: after each of four groups of ten blocks. So each reading is
counted: merged through all groups, where tokens that merged stay merged, and injectors work on them
or on every patch, whose tokens then merge again by the same map; anew in each group, which starts
from every patch and merges before its own third and sixth block; in the first group alone.

GFLOPs of an image, by part, where {kept} tokens are left of {patches}, as the paper's
GFLOPs of {shown} in Table 1 say if both merges keep the same share:
"""
_RATIOS = """
How many times as many FLOPs the full-token model has, for the share of tokens that each model of
Table 1 keeps, and for the fewest that two merges of pairs can leave; and the tokens at which it is
× {ratio:.2f}:
"""
_CLOSING = """
In FLOPs alone × {ratio:.2f} takes

{answers}

Speed is no ratio of FLOPs: what extractors and head compute runs at another rate than blocks do,
and attention at another than layers. Here tokens merge through all groups, and the layers of
injectors run on them.

{full:.2f} images of {tflop:.1f} TFLOP a second are {rate:.0f} TFLOP/s, {beyond} the {peak} that an
A100 computes in float32 at most, by its data sheet; the paper does not say its precision.
"""
_RUN = """# EVA-01, built and run

EVA-01 with ViT-Adapter and Mask2Former's head, {parameters:,.0f} million parameters, 896 × 896
pixels and 150 classes, with random weights: speeds are real, label maps mean nothing. Recipe
`{recipe}`, full-token and merged before blocks 2 and 5 (`python -m benchmarks.eva_run`).

Building compares the compiled model with the eager one on {gate_images} images:
"""
_RAN = """
From an image file to a label map, one image at a time, the full-token and the merged file in turns
({rounds} rounds, each a process of its own):
"""
_EQUAL = """
Both programs give {labels}.
"""


def pages() -> dict[Path, str]:
    """Return the pages; nothing before there are records."""
    return page_of(PAGE, "eva_flops", _page) | page_of(RUN_PAGE, "eva_run", _run_page)


def _run_page(record: Record) -> str:
    built = record["built"][0]
    head = _RUN.format(
        parameters=built["parameters"] / 1e6,
        recipe=record["recipe"],
        gate_images=built["gate_images"],
    )
    building, running = (
        indented(as_text(table)) for table in (built_table(record), ran_table(record))
    )
    shares = (
        f"{share:.2%} of pixels the same label {way}"
        for way, share in record["labels_equal"].items()
    )
    ran = _RAN.format(rounds=record["rounds"])
    equal = _EQUAL.format(labels=", ".join(shares))
    return "\n".join([head, building + ran, running + equal, of_record(record)])


def _page(record: Record) -> str:
    height, width = record["image_size"]
    patches, *kept = record["kept"][SHOWN]
    introduction = _INTRODUCTION.format(
        height=height,
        width=width,
        classes=record["classes"],
        **record["fps"],
        ratio=record["ratio"],
        kept=" and then ".join(map(str, kept)),
        patches=patches,
        shown=SHOWN,
    )
    parts, ratios = (
        indented(as_text(table)) for table in (parts_table(record, SHOWN), ratios_table(record))
    )
    between = _RATIOS.format(ratio=record["ratio"])
    by = written(commits([record["commit"]]))
    return "\n".join([introduction, parts + between, ratios + _closing(record), by])


def _closing(record: Record) -> str:
    full, fps = add_up(record["full_token"]), record["fps"]["full"]
    return _CLOSING.format(
        ratio=record["ratio"],
        answers="\n".join(
            f"- {READINGS[reading]}: {_answer(record, reading)}" for reading in READINGS
        ),
        full=fps,
        tflop=full / 1e12,
        rate=full * fps / 1e12,
        beyond="more than" if full * fps > _FLOAT32 else "no more than",
        peak=_FLOAT32 / 1e12,
    )


def _answer(record: Record, reading: str) -> str:
    """Say where a reading reaches the paper's ratio, or how near it comes."""
    patches, needed = record["kept"][SHOWN][0], record["needed"][reading]
    if needed:
        return f"{needed[-1]} tokens left of {patches}, {needed[-1] / patches:.0%}"
    best = add_up(record["full_token"]) / add_up(record["merged"][reading]["fewest"])
    fewest = record["kept"]["fewest"][-1]
    return f"fewer than there can be: it is × {best:.2f} where {fewest} are left"
