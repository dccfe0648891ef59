import numpy as np
import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.visualize import Panel, panels


def test_panels_stand_side_by_side_under_their_captions() -> None:
    red, blue = (np.full((20, 10, 3), color, np.uint8) for color in ((255, 0, 0), (0, 0, 255)))
    sheet = np.asarray(panels([Panel(red, "red"), Panel(blue, "blue")], width=100))
    middle = sheet[sheet.shape[0] // 2]
    colors = [color.tolist() for color in middle[[10, 109, 120, 219]]]
    assert colors == [[255, 0, 0]] * 2 + [[0, 0, 255]] * 2
    assert (sheet[:30, :100].min(axis=2) < 100).any()  # ink above the first
    assert (sheet[:, :, 0] == 255).sum() >= 100 * 200  # its aspect ratio is kept


def test_no_panels_are_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        panels([])
