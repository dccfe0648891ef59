"""Measures what TensorRT for RTX makes of the demo model: ``python -m benchmarks.tensorrt_engines``

For each type and each kind of GPU, how many seconds of a core it takes to make the engines of all
segments, however busy the machine is, and how large they are; for each segment, of what layers its
parser makes the network. No GPU is needed, and nothing is run: an engine is not even opened, which
its library does with a GPU alone.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from mpm_deploy.backends.segments.files import SEGMENTS, compile_segments, segment_files
from mpm_deploy.backends.tensorrt.backend import most_rows
from mpm_deploy.backends.tensorrt.engines import add_engines, listener_of, parsed
from mpm_deploy.backends.tensorrt.flavors import FLAVORS, Library, parse_capability
from mpm_deploy.builder.model import make_model
from mpm_deploy.recipe import load_recipe
from mpm_deploy.support.temporary_folder import temporary_folder

RECIPE = load_recipe("rtx_fp16")
DTYPES = ("float16", "float32", "bfloat16")

Row = dict[str, Any]


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Make engines, and list layers, one type after the other."""
    library = FLAVORS["tensorrt_rtx"].load()
    engines: list[Row] = []
    layers: list[Row] = []
    for dtype in DTYPES:
        with temporary_folder() as folder:
            rows = write_segments_of(dtype, folder)
            layers += layers_of(library, folder, dtype)
            engines += engines_of(library, folder, dtype, rows)
        record = {"library": library.title, "engines": engines, "layers": layers}
        yield Finding(record, [engines_table(engines), layers_table(layers)])


def write_segments_of(dtype: str, folder: Path) -> int:
    """Write the demo model's segments; return how many rows their buffers have at most."""
    recipe = RECIPE.override(f"backend.dtype={dtype}")
    model, _ = make_model(recipe)
    compile_segments(model, recipe, folder)
    return most_rows(model)


def layers_of(library: Library, folder: Path, dtype: str) -> Iterator[Row]:
    """Count the kinds of layers in each segment's network."""
    for segment, file in enumerate(segment_files(folder / SEGMENTS)):
        listener = listener_of(library)
        _, network = parsed(library, file, listener)
        kinds = Counter(network.get_layer(i).type.name for i in range(network.num_layers))
        yield {"dtype": dtype, "segment": segment, "kinds": dict(sorted(kinds.items()))}


def engines_of(library: Library, folder: Path, dtype: str, rows: int) -> Iterator[Row]:
    """Make the engines for each kind of GPU."""
    for written in RECIPE.backend.member.capabilities:
        capability = parse_capability(written)
        assert capability is not None  # the recipe has checked it
        began = time.process_time()
        made = add_engines(library, folder, rows, capability)
        took = time.process_time() - began
        yield {"dtype": dtype, "capability": written, "cpu_seconds": took, "bytes": made.bytes}


def engines_table(engines: Sequence[Row]) -> Table:
    """Make a table of how long a core took for engines, and how large they are."""
    segments = [f"segment {index}, MB" for index in range(len(engines[0]["bytes"]))]
    table = columns(("type", "capability"), ("CPU seconds", "MB", *segments))
    for row in engines:
        sizes = [f"{size / 1e6:.1f}" for size in (sum(row["bytes"]), *row["bytes"])]
        table.add_row(row["dtype"], row["capability"], f"{row['cpu_seconds']:.1f}", *sizes)
    return table


def layers_table(layers: Sequence[Row]) -> Table:
    """Make a table of how many layers of each kind the segments have, a column each."""
    names = [f"{row['dtype']}, {row['segment']}" for row in layers]
    table = columns(("kind",), names)
    for kind in sorted({kind for row in layers for kind in row["kinds"]}):
        table.add_row(kind, *(str(row["kinds"].get(kind, "–")) for row in layers))
    return table


MEMBER = Member(
    "tensorrt_engines",
    "TensorRT for RTX: engines for four kinds of GPU, their sizes and layers, without a GPU",
    measure,
    needs=("onnx", "tensorrt_rtx_bindings"),
)

if __name__ == "__main__":
    MEMBER.run()
