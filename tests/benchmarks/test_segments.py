"""Chains of segments held against the eager model: what is counted, the table, and the page."""

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks import segments
from benchmarks.bench.tables import as_text
from benchmarks.pages import segments as page
from mpm_deploy.recipe import Recipe

MAPS = torch.tensor([[[0, 1, 1, 0], [0, 0, 0, 0]], [[0, 1, 2, 3], [0, 1, 1, 2]]])  # (B, M, N)


def outputs(maps: Tensor, more: float = 0.0) -> tuple[Tensor, Tensor]:
    scores = torch.zeros(len(maps), 2, 1, 1)
    scores[0, 0] = 1 + more
    return scores, maps


def test_what_is_equal_is_counted_by_image() -> None:
    same = segments.compared(outputs(MAPS, more=0.25), outputs(MAPS))
    assert same["tokens_kept"] == [3, 2]
    assert (same["counts_equal_images"], same["maps_equal_images"]) == (2, 2)
    assert same["clusters_equal"] == [1, 1]
    assert same["largest_difference"] == 0.25


def test_what_differs_is_told_by_counts_maps_and_clusters() -> None:
    renamed, split = MAPS.clone(), MAPS.clone()
    renamed[0, 0] = torch.tensor([1, 0, 0, 1])  # the same clusters by other numbers
    split[1, 1] = torch.tensor([0, 1, 2, 2])  # as many tokens, of other patches
    for other, counts, maps, clusters in (
        (renamed, 2, 1, [1, 1]),
        (split, 2, 1, [1, 5 / 8]),
        (MAPS.flip(0), 0, 0, [0, 0]),
    ):
        found = segments.compared(outputs(other), outputs(MAPS))
        assert (found["counts_equal_images"], found["maps_equal_images"]) == (counts, maps)
        assert found["clusters_equal"] == clusters


def test_full_token_has_nothing_that_could_differ() -> None:
    found = segments.compared(outputs(MAPS[:, :0]), outputs(MAPS[:, :0]))
    assert found["tokens_kept"] == found["clusters_equal"] == []
    assert (found["counts_equal_images"], found["maps_equal_images"]) == (2, 2)


@pytest.mark.parametrize("model", segments.MODELS)
@pytest.mark.parametrize("dtype", segments.DTYPES)
def test_every_file_has_a_recipe(model: str, dtype: str) -> None:
    recipe: Recipe = segments.recipe_of(model, (1, 2, 5), dtype)
    assert (recipe.backend.name, recipe.backend.dtype) == ("onnxruntime", dtype)
    assert recipe.merge.blocks == (1, 2, 5)
    assert segments.recipe_of(model, (), dtype).merge.blocks == ()


def row(dtype: str, blocks: list[int]) -> dict[str, Any]:
    return {
        "model": "seg_t16_mask",
        "dtype": dtype,
        "blocks": blocks,
        "images": 4,
        "tokens_kept": [760.4, 587.0][: len(blocks)],
        "counts_equal_images": 4,
        "maps_equal_images": 3,
        "clusters_equal": [1.0, 0.995][: len(blocks)],
        "largest_difference": 4.2e-5 if dtype == "float32" else 7e-2,
        "deviation_of_scores": 2.5,
        "labels_equal": 1.0,
        "float32_labels_equal": 0.9994,
    }


ROWS = [row("float32", []), row("float16", []), row("float32", [2, 5])]


def test_the_table_says_what_is_equal() -> None:
    lines = as_text(segments.segments_table(ROWS)).splitlines()
    full, _, merged = (line.split() for line in lines if line.startswith("seg_"))
    assert full[:4] == ["seg_t16_mask", "float32", "none", "all"]
    assert merged[2:7] == ["2,", "5", "760", "→", "587"] and merged[-2:] == ["100.000%", "99.940%"]
    assert "99.50%" in merged and "4.2e-05," in merged


def test_the_page_says_what_the_record_says() -> None:
    record = {
        "side": 512,
        "onnxruntime": "1.99",
        "rows": ROWS,
        "machine": {"cpu": "a processor", "cores": 2},
        "versions": {"torch": "2.99"},
        "commit": "abc",
    }
    text = page._page(record)
    assert "In float32 merge maps are equal for 6 of 8, scores to 4.2e-05." in text
    assert "In float16 merge maps are equal for 3 of 4, scores to 7.0e-02." in text
    assert "onnxruntime 1.99, commit abc" in text
