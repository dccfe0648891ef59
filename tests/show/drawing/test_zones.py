import numpy as np

from mpm_deploy.show.drawing import zone_picture

IMAGE = np.array([[[0, 100, 255], [10, 20, 30], [10, 20, 30]]], np.uint8)
COLORS = ((200, 0, 100), (0, 50, 150))


def test_zones_are_colored_and_the_rest_is_gray() -> None:
    picture = zone_picture(IMAGE, np.array([[1, 0, -1]], np.int8), COLORS)
    assert picture.dtype == np.uint8
    assert picture.tolist() == [[[0, 50, 150], [200, 0, 100], [108] * 3]]  # 96 + 0.6 of the mean


def test_faint_colors_let_the_image_through() -> None:
    picture = zone_picture(IMAGE, np.array([[-1, 0, -1]], np.int8), COLORS, strength=0.5)
    assert picture[0, 1].tolist() == [154, 54, 104]
