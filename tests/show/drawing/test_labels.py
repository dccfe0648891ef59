import numpy as np
import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.show.drawing import difference, overlay, share_equal
from mpm_deploy.show.drawing.labels import DIFFERENT

IMAGE = np.array([[[0, 100, 255], [10, 20, 30]]], dtype=np.uint8)


def test_overlay_is_the_mean_of_image_and_class_color() -> None:
    labels = np.array([[1, 0]], dtype=np.uint8)
    mixed = overlay(IMAGE, labels, [(0, 0, 0), (255, 255, 255)])
    assert mixed.dtype == np.uint8
    assert mixed.tolist() == [[[127, 177, 255], [5, 10, 15]]]


def test_difference_marks_what_differs_and_grays_the_rest() -> None:
    marked = difference(IMAGE, np.array([[1, 0]]), np.array([[2, 0]]))
    assert marked.dtype == np.uint8
    assert marked[0, 0].tolist() == list(DIFFERENT)
    assert marked[0, 1].tolist() == [96 + 12] * 3  # 0.6 of the mean, 20


def test_share_equal() -> None:
    assert share_equal(np.array([[1, 0, 2, 2]]), np.array([[1, 0, 2, 1]])) == 0.75


def test_label_maps_of_two_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"two of one size, got \(1, 2\) and \(2, 1\)"):
        share_equal(np.array([[1, 0]]), np.array([[1], [0]]))
