import numpy as np

from mpm_deploy.visualize import overlay


def test_overlay_is_the_mean_of_image_and_class_colour() -> None:
    image = np.array([[[0, 100, 255], [10, 20, 30]]], dtype=np.uint8)
    labels = np.array([[1, 0]], dtype=np.uint8)
    mixed = overlay(image, labels, [(0, 0, 0), (255, 255, 255)])
    assert mixed.dtype == np.uint8
    assert mixed.tolist() == [[[127, 177, 255], [5, 10, 15]]]
