"""Writes the page on TensorRT's engines."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages.common import PAGES, Record, of_record, page_of
from benchmarks.tensorrt_engines import engines_table, layers_table

PAGE = PAGES / "tensorrt.md"
_INTRODUCTION = """# TensorRT's engines of the demo model

**Built, never run on a GPU.** {library} made these on a machine without one, of the
segments of the demo model, merged by the recipe `rtx_fp16` (`python -m
benchmarks.tensorrt_engines`). A capability is that of the GPU that the engines are for.
"""
_LAYERS = """## Layers

Of what its parser makes the networks that engines are built of, by type and segment.
{absent}
The engines' own layers can be listed where one can be opened: on its GPU.
"""
# What would leave the library or the GPU: code of others, sizes by values, loops.
_UNWANTED = {
    "plugin": ("PLUGIN", "PLUGIN_V2", "PLUGIN_V3"),
    "size that depends on values": ("NON_ZERO", "NMS"),
    "loop or condition": ("TRIP_LIMIT", "RECURRENCE", "ITERATOR", "LOOP_OUTPUT", "CONDITION"),
}


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    return page_of(PAGE, "tensorrt_engines", _page)


def _page(record: Record) -> str:
    engines, layers = record["engines"], record["layers"]
    return "\n".join(
        [
            _INTRODUCTION.format(library=record["library"]),
            indented(as_text(engines_table(engines))),
            _LAYERS.format(absent=_absent(record)),
            indented(as_text(layers_table(layers))),
            of_record(record),
        ]
    )


def _absent(record: Record) -> str:
    """Say which unwanted layers there are, and which there are not."""
    there = {kind for row in record["layers"] for kind in row["kinds"]}
    absent = [name for name, kinds in _UNWANTED.items() if not there & {*kinds}]
    present = [name for name in _UNWANTED if name not in absent]
    said = [f"There is no {', no '.join(absent)}."] if absent else []
    return " ".join(said + ([f"There is a {', a '.join(present)}."] if present else []))
