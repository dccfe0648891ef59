import numpy as np
import pytest

from mpm_deploy.datasets.confusion import (
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


def test_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    generator = np.random.default_rng(4)
    truth, predicted = generator.integers(0, 6, (2, 40, 50), np.uint8)
    predicted[:20] = truth[:20]
    truth[generator.random(truth.shape) < 0.1] = 255
    counts, counted = confusion(truth, predicted, 7), truth != 255
    true, found = truth[counted], predicted[counted]
    expected = metrics.confusion_matrix(true, found, labels=range(7))
    np.testing.assert_array_equal(counts, expected)
    present = range(6)  # a class that is nowhere has no value here, and 0 there
    iou = metrics.jaccard_score(true, found, labels=present, average=None)
    np.testing.assert_allclose(class_iou(counts), [*iou, np.nan])
    recall = metrics.recall_score(true, found, labels=present, average=None)
    np.testing.assert_allclose(class_accuracy(counts), [*recall, np.nan])
    mean = metrics.jaccard_score(true, found, labels=present, average="macro")
    assert mean_of_known(class_iou(counts)) == pytest.approx(mean)
    assert pixel_accuracy(counts) == pytest.approx(metrics.accuracy_score(true, found))
