from dataclasses import replace
from typing import Any

import pytest

from mpm_deploy.artifact import Manifest
from mpm_deploy.show.tables import manifest_table
from tests.support.toy import MANIFEST


def told_input(manifest: Manifest) -> str:
    names, values = (list(column.cells) for column in manifest_table(manifest, "none").columns)
    return str(values[names.index("input")])


@pytest.mark.parametrize(
    ("changes", "told"),
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
def test_inspect_says_how_an_image_becomes_the_input(changes: dict[str, Any], told: str) -> None:
    assert told_input(replace(MANIFEST, input=replace(MANIFEST.input, **changes))) == told
