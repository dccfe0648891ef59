"""What holds for every merge, whatever the tokens, the batch and the thread count."""

import math
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from mpm_deploy import mutual_pair_merge
from tests.models.reductions.merging import merge_images
from tests.support.packed import (
    SPECIAL_TOKENS,
    Maker,
    drifting,
    every_dtype,
    exact_with_copies,
    pack,
)

properties = settings(deadline=None, derandomize=True, max_examples=200)


@dataclass(frozen=True)
class Batch:
    images: list[Tensor]
    special_tokens: int


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Up to five images of up to twelve image tokens, with many equal and zero entries."""
    special_tokens = draw(st.sampled_from(SPECIAL_TOKENS))
    channels = draw(st.integers(1, 6))
    elements = st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0, -1.0])
    lengths = draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))
    shapes = [(special_tokens + length, channels) for length in lengths]
    images = [draw(arrays(np.float32, shape, elements=elements)) for shape in shapes]
    return Batch([torch.from_numpy(image) for image in images], special_tokens)


@given(batches())
@properties
def test_clusters_partition_each_image_into_singletons_and_pairs(batch: Batch) -> None:
    merges = merge_images(batch.images, batch.special_tokens)
    for image, merge in zip(batch.images, merges, strict=True):
        assert len(merge.merge_map) == len(image)
        sizes = torch.bincount(merge.merge_map, minlength=len(merge.tokens))
        assert len(sizes) == len(merge.tokens)
        assert all(size in (1, 2) for size in sizes.tolist())


@given(batches())
@properties
def test_representatives_keep_their_order(batch: Batch) -> None:
    for merge in merge_images(batch.images, batch.special_tokens):
        newest = -1
        for row in merge.merge_map.tolist():
            assert row <= newest + 1  # known already, or the next new one
            newest = max(newest, row)


@given(batches())
@properties
def test_at_most_half_of_the_image_tokens_go(batch: Batch) -> None:
    merges = merge_images(batch.images, batch.special_tokens)
    for image, merge in zip(batch.images, merges, strict=True):
        before = len(image) - batch.special_tokens
        after = len(merge.tokens) - batch.special_tokens
        assert math.ceil(before / 2) <= after <= before


@given(batches())
@properties
def test_special_tokens_stay_in_front_untouched(batch: Batch) -> None:
    first = batch.special_tokens
    merges = merge_images(batch.images, batch.special_tokens)
    for image, merge in zip(batch.images, merges, strict=True):
        assert torch.equal(merge.tokens[:first], image[:first])
        assert merge.merge_map[:first].tolist() == list(range(first))
        assert (merge.merge_map[first:] >= first).all()


@given(batches(), st.randoms(use_true_random=False))
@properties
def test_permuting_the_batch_permutes_the_merges(batch: Batch, random: Random) -> None:
    order = list(range(len(batch.images)))
    random.shuffle(order)
    merges = merge_images(batch.images, batch.special_tokens)
    permuted = merge_images([batch.images[i] for i in order], batch.special_tokens)
    assert permuted == [merges[i] for i in order]


@given(batches())
@properties
def test_merging_leaves_its_input_alone(batch: Batch) -> None:
    tokens, offsets = pack(batch.images)
    tokens_before, offsets_before = tokens.clone(), offsets.clone()
    mutual_pair_merge(tokens, offsets, batch.special_tokens)
    assert torch.equal(tokens, tokens_before)
    assert torch.equal(offsets, offsets_before)


@every_dtype
@pytest.mark.parametrize("channels", [37, 192])
def test_an_image_merges_alone_as_in_a_batch_of_32(channels: int, dtype: torch.dtype) -> None:
    random = np.random.default_rng(32)
    lengths = random.integers(2, 200, size=32)
    images = [drifting(random, int(length), channels).to(dtype) for length in lengths]
    together = merge_images(images, special_tokens=1)
    alone = [merge_images([image], special_tokens=1)[0] for image in images]
    assert together == alone


@every_dtype
def test_32_copies_of_an_image_merge_alike(dtype: torch.dtype) -> None:
    image = drifting(np.random.default_rng(1), 101, 192).to(dtype)
    alone = merge_images([image], special_tokens=1)
    assert merge_images([image] * 32, special_tokens=1) == alone * 32


@pytest.mark.parametrize("maker", [drifting, exact_with_copies])
def test_thread_counts_give_equal_merges(maker: Maker) -> None:
    random = np.random.default_rng(2)
    images = [maker(random, count, 192).float() for count in (1025, 577, 198, 33)]
    merges = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        merges.append(merge_images(images, special_tokens=1))
    assert merges[0] == merges[1]
