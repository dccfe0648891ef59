from itertools import combinations

import numpy as np
import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.show.drawing import merge_distances, merge_picture

GRID = (2, 3)
MERGE_MAP = np.array([0, 0, 1, 2, 3, 1])  # patches 0 and 1 share a token, and 2 and 5


def test_singletons_are_plain_and_clusters_are_not() -> None:
    image = np.full((32, 48, 3), 40, dtype=np.uint8)
    picture = merge_picture(image, MERGE_MAP, GRID)
    plain = (picture == image).all(axis=2)
    assert plain[16:, :32].all()  # patches 3 and 4
    assert not plain[:16].any()
    assert not plain[:, 32:].any()


def test_patches_of_a_cluster_have_one_color_and_clusters_differ() -> None:
    picture = merge_picture(np.zeros((32, 48, 3), dtype=np.uint8), MERGE_MAP, GRID)
    middle = picture[8::16, 8::16]  # (2, 3, 3)
    assert (middle[0, 0] == middle[0, 1]).all()
    assert (middle[0, 2] == middle[1, 2]).all()
    assert (middle[0, 0] != middle[0, 2]).any()


def test_a_cluster_begins_with_a_line() -> None:
    picture = merge_picture(np.zeros((32, 48, 3), dtype=np.uint8), MERGE_MAP, GRID)
    assert (picture[:16, 32] == 255).all()
    assert (picture[:16, 16] != 255).any()  # inside


def test_a_grid_that_is_larger_than_the_image_begins_before_it() -> None:
    """64 pixels, which the model pads to 5 patches of 14: 3 pixels on each side."""
    padding = ((3 / 14, 3 / 14), (3 / 14, 3 / 14))
    merge_map = np.arange(25) // 5  # a token for each row of patches
    image = np.zeros((128, 64, 3), dtype=np.uint8)  # twice as high as the input
    picture = merge_picture(image, merge_map, (5, 5), padding=padding)
    lines = np.flatnonzero((picture[:, 0] == 255).all(axis=1))
    assert lines.tolist() == [22, 50, 78, 106]  # 11, 25, 39, 53 of the input
    across = merge_picture(image, np.arange(25) % 5, (5, 5), padding=padding)
    assert np.flatnonzero((across[0] == 255).all(axis=1)).tolist() == [11, 25, 39, 53]


def test_the_image_may_be_of_any_size() -> None:
    image = np.zeros((7, 5, 3), dtype=np.uint8)
    assert merge_picture(image, MERGE_MAP, GRID).shape == image.shape


def test_distances_by_hand() -> None:
    second = np.array([0, 0, 1, 0, 2, 1])  # the pair at the upper left takes patch 3 in
    first, then = merge_distances(np.stack([MERGE_MAP, second]), GRID)
    assert first.tolist() == [1.0, 1.0]
    assert then.tolist() == pytest.approx([np.hypot(1, 0.5)])


def test_distances_against_pair_after_pair() -> None:
    """Maps of any cluster size, as other methods than pairs make them."""
    grid, generator = (5, 7), np.random.default_rng(0)
    first = np.unique(generator.integers(0, 12, 35), return_inverse=True)[1]
    second = np.unique(generator.integers(0, 4, first.max() + 1), return_inverse=True)[1][first]
    before = np.arange(35)
    for found, after in zip(
        merge_distances(np.stack([first, second]), grid), (first, second), strict=True
    ):
        expected = []
        for one, other in combinations(range(before.max() + 1), 2):
            ones, others = np.flatnonzero(before == one), np.flatnonzero(before == other)
            if after[ones[0]] == after[others[0]]:
                rows = (ones // 7).mean() - (others // 7).mean()
                columns = (ones % 7).mean() - (others % 7).mean()
                expected.append(np.hypot(rows, columns))
        assert sorted(found) == pytest.approx(sorted(expected))
        before = after


def test_no_merges_have_no_distances() -> None:
    assert merge_distances(np.empty((0, 6), dtype=np.int32), GRID) == []


def test_a_map_of_another_grid_is_refused() -> None:
    with pytest.raises(InputError, match="each of 2 × 2 patches"):
        merge_picture(np.zeros((4, 4, 3), dtype=np.uint8), MERGE_MAP, (2, 2))
    with pytest.raises(InputError, match="each of 2 × 2 patches"):
        merge_distances(MERGE_MAP[None], (2, 2))
