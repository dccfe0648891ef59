"""Merges at the edges: nothing to merge, everything equal, nothing there, input to refuse."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from mpm_deploy import mutual_pair_merge
from mpm_deploy.errors import InputError
from tests.models.reductions.algorithm1 import compact_ids
from tests.models.reductions.merging import ImageMerge, check_image, merge_images
from tests.support.packed import every_dtype, every_special_tokens, exact, gaussian, offsets_of


@every_special_tokens
def test_one_image_token_merges_with_nothing(special_tokens: int) -> None:
    image = gaussian(np.random.default_rng(0), special_tokens + 1, 8).float()
    (merge,) = merge_images([image], special_tokens)
    assert merge == ImageMerge(image, torch.arange(special_tokens + 1))


@every_special_tokens
@every_dtype
@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 9, 10, 11, 16, 33, 100, 197, 1024])
def test_equal_tokens_give_exactly_the_first_pair(
    count: int, dtype: torch.dtype, special_tokens: int
) -> None:
    for seed in range(3):
        random = np.random.default_rng([count, seed])
        special = gaussian(random, special_tokens, 65)
        row = gaussian(random, 1, 65)
        image = torch.cat([special, row.expand(count, -1)]).to(dtype)
        (merge,) = merge_images([image], special_tokens)
        first = special_tokens
        assert merge.merge_map.tolist() == [*range(first + 1), *range(first, first + count - 1)]
        assert torch.equal(merge.tokens, image[:-1])


@every_dtype
@pytest.mark.parametrize("count", [6, 7, 9, 10, 11, 50, 200])
def test_of_many_copies_the_first_two_pair(count: int, dtype: torch.dtype) -> None:
    """However the products of equal rows happen to be rounded.

    rows        a b b a b a b a
    merge map   0 1 1 0 2 3 4 5
    """
    random = np.random.default_rng(count)
    order = torch.from_numpy(random.permutation(count)) % 3
    image = gaussian(random, 3, 65)[order].to(dtype)
    (merge,) = merge_images([image])
    pairs = [order.eq(row).nonzero().flatten()[:2].tolist() for row in range(3)]
    assert merge.merge_map.tolist() == compact_ids(count, [(i, j) for i, j in pairs])


@every_dtype
def test_zero_rows_are_similar_to_nothing(dtype: torch.dtype) -> None:
    rows = [[0, 0], [1, 0], [0, 0], [-1, 0], [1, 0]]
    (merge,) = merge_images([torch.tensor(rows, dtype=dtype)])
    # Token 0's cosines are all 0: it takes 1, which has 4. Tokens 2 and 3 take 0.
    assert merge.merge_map.tolist() == [0, 1, 2, 3, 1]
    assert torch.equal(merge.tokens, torch.tensor(rows[:4], dtype=dtype))


def test_the_mean_of_rows_is_within_float16_where_their_sum_is_not() -> None:
    rows = torch.tensor([[60032.0, 50048.0], [50048.0, 60032.0]], dtype=torch.float16)
    merged, _, _ = mutual_pair_merge(rows, offsets_of([2]))
    assert merged.tolist() == [[55040.0, 55040.0]]


@every_dtype
def test_the_mean_is_that_of_a_sum_to_the_last_bit(dtype: torch.dtype) -> None:
    """Halving is exact, but of the least numbers that a type has."""
    rows = gaussian(np.random.default_rng(7), 2, 300).to(dtype)
    merged, _, _ = mutual_pair_merge(rows, offsets_of([2]))
    assert torch.equal(merged, (rows[:1] + rows[1:]) / 2)


def test_an_image_of_zeros_merges_its_first_pair() -> None:
    (merge,) = merge_images([torch.zeros(4, 3)])
    assert merge.merge_map.tolist() == [0, 0, 1, 2]
    assert torch.equal(merge.tokens, torch.zeros(3, 3))


@pytest.mark.parametrize("special_tokens", [0, 2])
def test_images_without_image_tokens_stay_as_they_are(special_tokens: int) -> None:
    random = np.random.default_rng(4)
    full = [exact(random, special_tokens + count, 16).float() for count in (9, 6)]
    bare = exact(random, special_tokens, 16).float()
    merges = merge_images([bare, full[0], bare, bare, full[1], bare], special_tokens)
    for merge in (merges[0], merges[2], merges[3], merges[5]):
        assert merge == ImageMerge(bare, torch.arange(special_tokens))
    check_image(full[0], merges[1], special_tokens)
    check_image(full[1], merges[4], special_tokens)


def test_a_batch_of_nothing_merges_to_nothing() -> None:
    merged, merge_map, offsets = mutual_pair_merge(torch.empty(0, 8), offsets_of([0, 0]))
    assert merged.shape == (0, 8)
    assert merge_map.shape == (0,)
    assert offsets.tolist() == [0, 0, 0]


def test_equal_directions_in_different_images_never_meet() -> None:
    row = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    merges = merge_images([row, row, row])
    assert merges == [ImageMerge(row, torch.tensor([0]))] * 3


def test_rows_need_not_lie_next_to_each_other_in_memory() -> None:
    tokens = gaussian(np.random.default_rng(5), 40, 24).float()
    strided = tokens.t().contiguous().t()
    offsets = offsets_of([25, 15])
    expected = mutual_pair_merge(tokens, offsets)
    assert all(map(torch.equal, mutual_pair_merge(strided, offsets), expected))


@every_dtype
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", [0, 3, 9])
def test_tokens_that_are_not_finite_are_refused(row: int, value: float, dtype: torch.dtype) -> None:
    tokens = torch.ones(10, 4, dtype=dtype)
    tokens[row, 2] = value
    with pytest.raises(InputError, match=r"(?i)nan|inf|finite"):
        mutual_pair_merge(tokens, offsets_of([4, 6]), special_tokens=1)


@pytest.mark.parametrize(
    "offsets",
    [[0, 4], [0, 4, 11], [1, 4, 10], [0, 6, 4, 10], [0, 12, 10], [-1, 4, 10], [0], []],
    ids=str,
)
def test_offsets_that_do_not_cut_the_rows_are_refused(offsets: list[int]) -> None:
    with pytest.raises(InputError, match="offsets"):
        mutual_pair_merge(torch.ones(10, 4), torch.tensor(offsets, dtype=torch.int32))


@pytest.mark.parametrize("special", [1.5, True, "1", -1, None])
def test_special_tokens_are_counted(special: Any) -> None:
    with pytest.raises(InputError, match="special_tokens: expected "):
        mutual_pair_merge(torch.ones(3, 4), offsets_of([3]), special)


def test_lists_are_no_tensors() -> None:
    with pytest.raises(InputError, match=r"offsets: expected .* got list"):
        mutual_pair_merge(torch.ones(3, 4), [0, 3])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"tokens: expected .* got list"):
        mutual_pair_merge([[1.0]], offsets_of([1]))  # type: ignore[arg-type]


def test_a_refusal_says_how_to_cure_it() -> None:
    with pytest.raises(InputError) as refusal:
        mutual_pair_merge(torch.full((3, 2), math.nan), offsets_of([3]))
    assert refusal.value.hint
