"""EVA-01's FLOPs by part: the model's own count, of which each reading takes its tokens."""

from functools import cache

import pytest

from benchmarks.eva_flops import (
    BLOCKS,
    FEWEST,
    READINGS,
    Count,
    add_up,
    kept_at,
    needed,
    share_of,
    solved,
)
from benchmarks.pages import eva
from benchmarks.paper import paper_row, title_of
from mpm_deploy.models.flops import count_flops, count_parts
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import outline
from mpm_deploy.recipe.paper import ROWS

SIZE, PATCHES = (896, 896), 3136
KEPT = (PATCHES, 2000, 1200)


def model(*blocks: int) -> Segmenter:
    return outline("eva_g16_mask2former", classes=150, image_size=SIZE, blocks=blocks)


@cache
def count() -> Count:
    return Count(model(*BLOCKS))


def test_it_counts_what_the_model_counts() -> None:
    for counted, expected, kept in (
        (count().full_token(), count_parts(model()), (PATCHES,)),
        (count().merged("through", KEPT), count_parts(model(*BLOCKS)), KEPT),
    ):
        parts = {name: flops.total(kept) for name, flops in expected.items()}
        assert counted == pytest.approx(parts, rel=1e-12) and len(parts) == 7


def test_each_reading_has_its_tokens() -> None:
    seen = {
        reading: [count().tokens(reading, block, KEPT) for block in (0, 1, 2, 5, 9, 10, 12, 39)]
        for reading in READINGS
    }
    everything, some, few = KEPT
    through = [everything, everything, some, few, few, few, few, few]
    assert seen["through"] == seen["patches"] == through
    assert seen["anew"] == [*through[:5], everything, some, few]
    assert seen["first"] == [*through[:5], everything, everything, everything]


def test_injectors_on_every_patch_cost_what_they_do_full_token() -> None:
    full, merged = count().full_token(), count().merged("patches", KEPT)
    assert merged["injectors"] == full["injectors"]
    assert merged | {"injectors": 0.0} == count().merged("through", KEPT) | {"injectors": 0.0}


def test_merging_anew_searches_in_every_group() -> None:
    """Where no pair is found, searching is all that is added."""
    nothing = (PATCHES,) * 3
    full = add_up(count().full_token())
    once = add_up(count().merged("first", nothing)) - full
    assert once > 0
    assert add_up(count().merged("anew", nothing)) - full == pytest.approx(4 * once)


def test_the_tokens_of_a_row_give_its_gflops() -> None:
    (row,) = (row for row in ROWS if row.table == 1 and title_of(row) == "Seg-L/16")
    merging = outline(row.model, classes=150, image_size=(512, 512), blocks=BLOCKS)
    merged = count_flops(merging).total(kept_at(share_of(row)[1], 1024))
    full = count_flops(outline(row.model, classes=150, image_size=(512, 512))).total((1024,))
    assert merged / full == pytest.approx(paper_row(row).gflops["mpm"] / 800, rel=1e-3)


def test_tokens_are_found_for_a_ratio_or_there_are_none() -> None:
    tokens = needed(count(), "through", 1.5)
    assert tokens is not None
    ratio = add_up(count().full_token()) / add_up(count().merged("through", tokens))
    assert ratio == pytest.approx(1.5, rel=1e-3)
    assert needed(count(), "first", 1.5) is None
    assert solved(lambda share: share**2, 0.49) == pytest.approx(0.7)


def test_the_page_says_what_the_record_says() -> None:
    parts = {"encoder": 8e12, "extractors": 2e12}
    fewer = {"encoder": 3e12, "extractors": 2e12}
    kept = {"Seg-L/16": [PATCHES, 2000, 1200], "fewest": [PATCHES, 1568, 784]}
    record = {
        "image_size": [896, 896],
        "classes": 150,
        "fps": {"full": 2.61, "mpm": 3.7},
        "ratio": 3.7 / 2.61,
        "tokens": {"Seg-L/16": 1024},
        "kept": kept,
        "full_token": parts,
        "merged": {reading: dict.fromkeys(kept, fewer) for reading in READINGS},
        "needed": {reading: [PATCHES, 2300, 1700] for reading in READINGS} | {"first": None},
        "commit": "abc",
    }
    page = eva._page(record)
    lines = [line.split() for line in page.splitlines()]
    assert ["all", "10,000", *["5,000"] * 4] in lines
    assert ["Seg-L/16", "1024", "2000", "→", "1200", *["2.00"] * 4] in lines
    assert ["for", "×", "1.42", *["2300", "→", "1700"] * 3, "never"] in lines
    assert "- in the first group alone: fewer than there can be: it is × 2.00 where 784 are" in page
    assert "- anew in each group: 1700 tokens left of 3136, 54%" in page
    assert "(commit abc; written by" in page
    assert "2.61 images of 10.0 TFLOP a second are 26 TFLOP/s, more than the 19.5" in page


def test_the_fewest_are_a_quarter() -> None:
    assert kept_at(FEWEST, PATCHES) == (3136, 1568, 784)
