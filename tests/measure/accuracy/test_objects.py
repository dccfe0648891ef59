"""Objects, against a flood that spreads from pixel to pixel."""

import numpy as np
import pytest

from mpm_deploy.measure.accuracy.objects import Indices, Labels, object_sizes


def flooded_sizes(labels: Labels) -> Indices:
    sizes = np.zeros(labels.shape, int)
    for start in np.ndindex(labels.shape):
        if sizes[start]:
            continue
        reached, front = {start}, [start]
        while front:
            y, x = front.pop()
            for beside in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= beside[0] < labels.shape[0] and 0 <= beside[1] < labels.shape[1]
                if inside and beside not in reached and labels[beside] == labels[start]:
                    reached.add(beside)
                    front.append(beside)
        for pixel in reached:
            sizes[pixel] = len(reached)
    return sizes


@pytest.mark.parametrize("classes", [1, 2, 3, 9])
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (23, 37)])
def test_sizes_against_a_flood(classes: int, size: tuple[int, int]) -> None:
    labels = np.random.default_rng(classes).integers(0, classes, size).astype(np.uint8)
    np.testing.assert_array_equal(object_sizes(labels), flooded_sizes(labels))


def test_a_spiral_is_one_object() -> None:
    labels = np.zeros((41, 41), np.uint8)
    top, left, bottom, right = 0, 0, 40, 40
    while top < bottom:
        labels[top, left : right + 1] = labels[top : bottom + 1, right] = 1
        labels[bottom, left + 2 : right + 1] = labels[top + 2 : bottom + 1, left + 2] = 1
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    np.testing.assert_array_equal(object_sizes(labels), flooded_sizes(labels))
