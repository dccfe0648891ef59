import numpy as np
import pytest

from mpm_deploy.measure.confusion import (
    class_accuracy,
    class_iou,
    confusion,
    mean_of_known,
    pixel_accuracy,
)

TRUTH = np.array([[0, 0, 255], [1, 2, 255]], np.uint8)
PREDICTED = np.array([[0, 1, 3], [1, 2, 0]], np.uint8)


def test_what_a_class_comes_to() -> None:
    counts = confusion(TRUTH, PREDICTED, 5)
    assert counts.sum() == 4  # ignored pixels count in neither map
    np.testing.assert_allclose(class_iou(counts), [0.5, 0.5, 1.0, np.nan, np.nan])
    np.testing.assert_allclose(class_accuracy(counts), [0.5, 1.0, 1.0, np.nan, np.nan])
    assert mean_of_known(class_iou(counts)) == pytest.approx(2 / 3)
    assert pixel_accuracy(counts) == 0.75


def test_nothing_counted_is_not_a_number() -> None:
    counts = confusion(np.full((2, 3), 255, np.uint8), PREDICTED, 4)
    assert counts.shape == (4, 4) and not counts.any()
    assert np.isnan(mean_of_known(class_iou(counts)))
    assert np.isnan(pixel_accuracy(counts))


def test_many_classes_do_not_overflow() -> None:
    truth, predicted = np.full((1, 9), 254, np.uint8), np.full((1, 9), 253, np.uint8)
    counts = confusion(truth, predicted, 255)
    assert counts[254, 253] == 9 == counts.sum()
    assert counts.dtype == np.int64
