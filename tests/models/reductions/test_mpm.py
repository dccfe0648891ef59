"""Mutual Pair Merging on packed tokens against the slow reading of Algorithm 1."""

import numpy as np
import pytest
import torch

from mpm_deploy import mutual_pair_merge
from mpm_deploy.models.reductions.mpm import compose, merge_mutual_pairs, reconstruct
from tests.models.reductions.algorithm1 import candidates, cosine_similarity, is_decided
from tests.models.reductions.merging import check_image, merge_images, random_batches
from tests.support.packed import (
    Maker,
    drifting,
    every_dtype,
    every_special_tokens,
    exact,
    exact_with_copies,
    gaussian,
    pack,
    twins,
)
from tests.support.scripting import script


@every_special_tokens
@every_dtype
@pytest.mark.parametrize("maker", [exact, exact_with_copies])
def test_exact_cosines_merge_as_algorithm1_ties_included(
    maker: Maker, dtype: torch.dtype, special_tokens: int
) -> None:
    for images in random_batches(maker, 20, special_tokens, dtype):
        for image, merge in zip(images, merge_images(images, special_tokens), strict=True):
            check_image(image, merge, special_tokens)


@every_special_tokens
@every_dtype
@pytest.mark.parametrize("maker", [gaussian, drifting, twins])
def test_any_cosines_merge_as_algorithm1_but_for_near_ties(
    maker: Maker, dtype: torch.dtype, special_tokens: int
) -> None:
    checked, images_seen = 0, 0
    for images in random_batches(maker, 20, special_tokens, dtype):
        for image, merge in zip(images, merge_images(images, special_tokens), strict=True):
            images_seen += 1
            similarity = cosine_similarity(image[special_tokens:].double().numpy())
            if is_decided(candidates(similarity)):
                check_image(image, merge, special_tokens)
                checked += 1
    assert images_seen > 40
    assert checked > 0.9 * images_seen


def test_the_second_merge_does_not_weigh_its_members() -> None:
    image = torch.tensor([[2.0, 0.0], [4.0, 0.0], [8.0, 8.0]])
    (first,) = merge_images([image])
    assert first.tokens.tolist() == [[3.0, 0.0], [8.0, 8.0]]
    (second,) = merge_images([first.tokens])
    assert second.tokens.tolist() == [[5.5, 4.0]]  # by members: [14 / 3, 8 / 3]
    assert compose(first.merge_map, second.merge_map).tolist() == [0, 0, 0]


@every_special_tokens
def test_composed_maps_gather_as_step_by_step(special_tokens: int) -> None:
    random = np.random.default_rng(6)
    tokens, offsets = pack(
        [drifting(random, special_tokens + n, 16).float() for n in (50, 1, 31, 200)]
    )
    maps = []
    for _ in range(3):
        tokens, merge_map, offsets = mutual_pair_merge(tokens, offsets, special_tokens)
        maps.append(merge_map)
    stepwise = tokens
    for merge_map in reversed(maps):
        stepwise = reconstruct(stepwise, merge_map)
    composed = compose(compose(maps[0], maps[1]), maps[2])
    assert torch.equal(reconstruct(tokens, composed), stepwise)
    assert torch.equal(composed, compose(maps[0], compose(maps[1], maps[2])))


def test_a_reconstruction_is_the_mean_at_every_member() -> None:
    image = drifting(np.random.default_rng(7), 30, 16).float()
    (merge,) = merge_images([image])
    rebuilt = reconstruct(merge.tokens, merge.merge_map)
    assert rebuilt.shape == image.shape
    for i, row in enumerate(rebuilt):
        members = image[merge.merge_map == merge.merge_map[i]]
        assert torch.equal(row, members.mean(dim=0))


@every_dtype
@every_special_tokens
def test_scripted_merges_are_the_same(special_tokens: int, dtype: torch.dtype) -> None:
    scripted = script(merge_mutual_pairs)
    for maker in (drifting, exact_with_copies):
        for images in random_batches(maker, 5, special_tokens, dtype):
            tokens, offsets = pack(images)
            eager = mutual_pair_merge(tokens, offsets, special_tokens)
            got = scripted(tokens, offsets, len(tokens), special_tokens)
            assert all(map(torch.equal, got, eager))
