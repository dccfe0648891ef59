"""Boundary counts, against a version that looks at one pixel at a time."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mpm_deploy.measure.accuracy.boundary import (
    boundary_counts,
    boundary_f_score,
    near_boundary,
    outlines,
    tolerance,
)

Labels = NDArray[np.integer[Any]]
Pixel = tuple[int, int]


def slow_boundary(labels: Labels, truth: Labels, label: int) -> set[Pixel]:
    """The boundary pixels of one class, by its definition."""
    height, width = labels.shape
    found = set()
    for y in range(height):
        for x in range(width):
            beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            inside = [(b, a) for b, a in beside if 0 <= b < height and 0 <= a < width]
            counted = all(truth[pixel] != 255 for pixel in [(y, x), *inside])
            differs = any(labels[pixel] != label for pixel in inside)
            if labels[y, x] == label and counted and differs:
                found.add((y, x))
    return found


def slow_counts(truth: Labels, predicted: Labels, classes: int) -> list[list[int]]:
    reach = max(1, round(0.0075 * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2)))

    def matched(some: set[Pixel], others: set[Pixel]) -> int:
        return sum(any(math.dist(one, other) <= reach for other in others) for one in some)

    rows = []
    for label in range(classes):
        true = slow_boundary(truth, truth, label)
        found = slow_boundary(predicted, truth, label)
        rows.append([matched(found, true), len(found), matched(true, found), len(true)])
    return rows


def blobs(seed: int, size: tuple[int, int], classes: int) -> Labels:
    """A few patches of classes, with a grain of single pixels and some that are ignored."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, classes, (4, 5))
    coarse[generator.random(coarse.shape) < 0.1] = 255
    rows, columns = np.arange(size[0]) * 4 // size[0], np.arange(size[1]) * 5 // size[1]
    labels = coarse[np.ix_(rows, columns)]
    labels[generator.random(size) < 0.01] = generator.integers(0, classes)
    return labels.astype(np.uint8)


@pytest.mark.parametrize(("seed", "size"), [(0, (31, 44)), (1, (44, 31)), (2, (180, 320))])
def test_counts_against_the_slow_version(seed: int, size: tuple[int, int]) -> None:
    truth = blobs(seed, size, 4)
    predicted = np.roll(blobs(seed, size, 4), (1, 2), (0, 1))
    predicted[predicted == 255] = 3
    predicted[: size[0] // 3] = np.random.default_rng(9).integers(0, 2, (size[0] // 3, 1))
    counts = boundary_counts(truth, predicted, 5)
    assert counts.tolist() == slow_counts(truth, predicted, 5)
    assert 0 < counts[:, 0].sum() < counts[:, 1].sum()
    assert 0 < counts[:, 2].sum() < counts[:, 3].sum()


def test_matches_against_a_distance_transform() -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    truth = blobs(3, (400, 600), 6)
    predicted = np.where(truth == 255, 0, np.roll(truth, (4, 3), (0, 1)) % 255)
    counted, reach = truth != 255, tolerance(truth.shape)
    counts = boundary_counts(truth, predicted, 6)
    true, found = outlines(truth, counted), outlines(predicted, counted)
    for label in range(6):
        for columns, one, other in (((0, 1), found, true), ((2, 3), true, found)):
            distances = ndimage.distance_transform_edt(other != label)[one == label]
            expected = [np.count_nonzero(distances <= reach), len(distances)]
            assert counts[label, list(columns)].tolist() == expected


def test_the_boundary_is_drawn_on_both_sides_and_not_at_the_image_edge() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], np.uint8)
    assert outlines(labels, np.ones(labels.shape, bool)).tolist() == [[-1, 0, 1, -1]] * 3


def test_what_is_beside_an_ignored_pixel_is_on_no_boundary() -> None:
    truth = np.array([[0, 0, 1, 1, 1]] * 4 + [[0, 255, 1, 1, 1]], np.uint8)
    found = outlines(truth, truth != 255)
    assert found.tolist() == [[-1, 0, 1, -1, -1]] * 3 + [[-1, -1, 1, -1, -1], [-1] * 5]
    counts = boundary_counts(truth, np.where(truth == 255, 7, truth), 8)
    assert counts[7].tolist() == [0, 0, 0, 0]
    assert counts[1].tolist() == [4, 4, 4, 4]


@pytest.mark.parametrize(("size", "pixels"), [((3, 4), 1), ((512, 512), 5), ((1024, 2048), 17)])
def test_the_tolerance_is_a_share_of_the_diagonal(size: tuple[int, int], pixels: int) -> None:
    assert tolerance(size) == pixels


@pytest.mark.parametrize(("shift", "score"), [(0, 1.0), (5, 1.0), (7, 0.0)])
def test_a_boundary_off_by_more_than_the_tolerance_is_missed(shift: int, score: float) -> None:
    truth, predicted = np.zeros((2, 512, 512), np.uint8)
    truth[:, 100:] = 1
    predicted[:, 100 + shift :] = 1
    scores = boundary_f_score(boundary_counts(truth, predicted, 3))
    np.testing.assert_array_equal(scores, [score, score, np.nan])


def test_the_score_of_summed_counts() -> None:
    counts = np.array([[1, 2, 3, 4], [0, 0, 0, 9], [0, 9, 0, 0], [0, 0, 0, 0]])
    scores = boundary_f_score(counts)
    np.testing.assert_allclose(scores, [2 * 0.5 * 0.75 / 1.25, 0, 0, np.nan])


def test_pixels_near_a_boundary() -> None:
    labels = np.zeros((40, 60), np.uint8)  # a tolerance of one pixel
    labels[20, 30] = 1
    far = {(y, x) for y in range(40) for x in range(60) if abs(y - 20) + abs(x - 30) > 2}
    near = near_boundary(labels, np.ones(labels.shape, bool))
    assert {(int(y), int(x)) for y, x in np.argwhere(~near)} == far
    assert not near_boundary(labels * 0, np.ones(labels.shape, bool)).any()
