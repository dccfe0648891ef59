"""TensorRT's engines: their tables and what their page says, from rows that were made up."""

from typing import Any

import pytest

from benchmarks.bench.tables import as_text
from benchmarks.pages.tensorrt import _absent
from benchmarks.tensorrt_engines import engines_table, layers_table

LAYERS = [
    {"dtype": "float16", "segment": 0, "kinds": {"SOFTMAX": 2}},
    {"dtype": "float16", "segment": 1, "kinds": {"SOFTMAX": 3, "SCATTER": 1}},
]


def test_sizes_are_told_by_segment_and_together() -> None:
    row: dict[str, Any] = {"dtype": "float16", "capability": "8.6", "bytes": [7_000_000, 500_000]}
    row["cpu_seconds"] = 3.14
    last = as_text(engines_table([row])).splitlines()[-1]
    assert last.split() == ["float16", "8.6", "3.1", "7.5", "7.0", "0.5"]


def test_a_kind_of_layer_that_a_segment_lacks_is_a_dash() -> None:
    *_, scatter, softmax = as_text(layers_table(LAYERS)).splitlines()
    assert (scatter.split(), softmax.split()) == (["SCATTER", "–", "1"], ["SOFTMAX", "2", "3"])


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({}, "There is no plugin, no size that depends on values, no loop or condition."),
        (
            {"PLUGIN_V2": 1},
            "There is no size that depends on values, no loop or condition. There is a plugin.",
        ),
    ],
)
def test_the_page_says_what_leaves_the_gpu(kinds: dict[str, int], expected: str) -> None:
    record: dict[str, Any] = {"layers": [*LAYERS, {"kinds": kinds}]}
    assert _absent(record) == expected
