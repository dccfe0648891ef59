import numpy as np
import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.show.drawing import Key, Panel, panels, sheet


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
    with pytest.raises(InputError, match="at least one"):
        sheet([[], []])


def test_keys_stand_below_the_caption_in_their_colors() -> None:
    gray = np.full((20, 20, 3), 128, np.uint8)
    keys = (Key((255, 0, 0), "red"), Key((0, 0, 255), "blue"))
    panel = Panel(gray, "colors", keys)
    picture = np.asarray(panels([panel, Panel(gray, "plain")], width=200))
    for key in keys:
        rows, columns = np.nonzero((picture == key.color).all(axis=2))
        assert len(rows) > 100 and rows.min() > 30 and columns.max() < 210
    assert panel.words == "colors: red, blue"
    assert Panel(gray, "plain").words == "plain"


def test_rows_stand_below_one_another() -> None:
    red, blue = (np.full((20, 10, 3), color, np.uint8) for color in ((255, 0, 0), (0, 0, 255)))
    rows = [[Panel(red, "1"), Panel(red, "2")], [Panel(blue, "3")]]
    picture = np.asarray(sheet(rows, width=100))
    assert picture.shape[1] == 10 + 2 * 110
    column = [color.tolist() for color in picture[:, 60]]
    assert column.count([255, 0, 0]) == column.count([0, 0, 255]) == 200
    assert column.index([255, 0, 0]) < column.index([0, 0, 255])
    assert (picture[-50:, 120:] > 250).all()  # nothing beside the last
