from dataclasses import replace
from typing import Any

import pytest

from mpm_deploy.artifact import Manifest
from mpm_deploy.show.tables import manifest_table
from mpm_deploy.support.processor import X86_LEVELS
from tests.support.toy import MANIFEST


def told(manifest: Manifest, name: str) -> str:
    names, values = (list(column.cells) for column in manifest_table(manifest, "none").columns)
    return str(values[names.index(name)])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "32 × 48 by resize, 6 patches of 16 × 16"),
        ({"fit": "slide_evenly"}, "32 × 48 by slide_evenly, 6 patches of 16 × 16"),
        (
            {"fit": "slide", "stride": 8, "short_side": 40, "max_ratio": 4.0},
            "32 × 48 by slide with stride 8 over a short side of 40, 6 patches of 16 × 16",
        ),
        (
            {"height": 30, "width": 45},
            "30 × 45 by resize, padded to 32 × 48, 6 patches of 16 × 16",
        ),
    ],
)
def test_inspect_says_how_an_image_becomes_the_input(
    changes: dict[str, Any], expected: str
) -> None:
    manifest = replace(MANIFEST, input=replace(MANIFEST.input, **changes))
    assert told(manifest, "input") == expected


@pytest.mark.parametrize(
    ("cpu_isa", "expected"),
    [
        (X86_LEVELS["x86-64-v3"], "CPU of level x86-64-v3"),
        (X86_LEVELS["x86-64-v4"] | {"avx512_bf16"}, "CPU of level x86-64-v4 with avx512_bf16"),
        ({"fma", "avx"}, "CPU with avx fma"),
    ],
)
def test_inspect_names_a_cpu_by_its_level(cpu_isa: set[str], expected: str) -> None:
    requires = replace(MANIFEST.requires, cpu_isa=tuple(sorted(cpu_isa)))
    assert told(replace(MANIFEST, requires=requires), "needs").endswith(expected)


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [(1, 1, "1 image a call"), (1, 64, "1 to 64 images a call"), (8, 8, "8 images a call")],
)
def test_inspect_counts_the_images_of_a_call(least: int, most: int, expected: str) -> None:
    batch = replace(MANIFEST.batch, min=least, max=most)
    assert told(replace(MANIFEST, batch=batch), "batch") == expected
