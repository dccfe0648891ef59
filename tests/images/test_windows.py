"""Where windows lie, by hand."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpm_deploy.images.windows import (
    lay_windows,
    lay_windows_evenly,
    scaled_size,
    size_for_windows,
    size_of_windows,
)

SIDES = st.integers(1, 400)


@pytest.mark.parametrize(
    ("side", "window", "stride", "starts"),
    [
        (8, 8, 8, (0,)),
        (9, 8, 8, (0, 1)),
        (16, 8, 8, (0, 8)),
        (17, 8, 8, (0, 8, 9)),
        (20, 8, 6, (0, 6, 12)),
        (21, 8, 6, (0, 6, 12, 13)),
        (10, 8, 1, (0, 1, 2)),
        (2048, 768, 512, (0, 512, 1024, 1280)),
    ],
)
def test_windows_lie_a_stride_apart_and_one_flush_with_the_far_edge(
    side: int, window: int, stride: int, starts: tuple[int, ...]
) -> None:
    assert lay_windows((side, window), (window, window), stride).tops == starts
    assert lay_windows((window, side), (window, window), stride).lefts == starts


def test_windows_go_row_by_row() -> None:
    grid = lay_windows((9, 20), (8, 8), 8)
    assert list(grid.corners()) == [(0, 0), (0, 8), (0, 12), (1, 0), (1, 8), (1, 12)]


@pytest.mark.parametrize(
    ("side", "window", "starts"),
    [
        (8, 8, (0,)),
        (9, 8, (0, 1)),
        (16, 8, (0, 8)),
        (17, 8, (0, 4, 9)),
        (1024, 512, (0, 512)),
        (1060, 512, (0, 274, 548)),
        (10_000, 512, tuple(step * 9488 // 19 for step in range(20))),
    ],
)
def test_as_few_windows_as_cover_an_axis_lie_evenly(
    side: int, window: int, starts: tuple[int, ...]
) -> None:
    assert lay_windows_evenly((side, window), (window, window)).tops == starts
    assert lay_windows_evenly((window, side), (window, window)).lefts == starts


@given(SIDES, SIDES)
def test_even_windows_cover_every_pixel_and_no_other(side: int, window: int) -> None:
    side = max(side, window)
    tops = lay_windows_evenly((side, window), (window, window)).tops
    assert len(tops) == math.ceil(side / window)
    assert {top + row for top in tops for row in range(window)} == set(range(side))
    steps = {later - earlier for earlier, later in pairwise(tops)}
    assert not steps or max(steps) - min(steps) <= 1


@given(SIDES, SIDES, st.data())
def test_windows_cover_every_pixel_and_no_other(
    side: int, window: int, data: st.DataObject
) -> None:
    side = max(side, window)
    stride = data.draw(st.integers(1, window))
    tops = lay_windows((side, window), (window, window), stride).tops
    assert sorted({*tops}) == list(tops)
    assert {top + row for top in tops for row in range(window)} == set(range(side))


@pytest.mark.parametrize(
    ("size", "short_side", "max_ratio", "scaled"),
    [
        ((480, 640), 512, 4.0, (512, 683)),
        ((640, 480), 512, 4.0, (683, 512)),
        ((1024, 2048), 1024, 2.0, (1024, 2048)),
        ((375, 500), 520, 8.0, (520, 693)),
        ((100, 1000), 512, 4.0, (205, 2048)),  # the long side is at its most
        ((1000, 100), 512, 4.0, (2048, 205)),
        ((2, 3), 3, 4.0, (3, 5)),  # 4.5: halves up
        ((1, 100_000), 512, 4.0, (1, 2048)),
    ],
)
def test_scaled_sizes(
    size: tuple[int, int], short_side: int, max_ratio: float, scaled: tuple[int, int]
) -> None:
    assert scaled_size(size, short_side, max_ratio) == scaled


@pytest.mark.parametrize(
    ("size", "window", "large"),
    [
        ((512, 683), (512, 512), (512, 683)),
        ((205, 2048), (512, 512), (512, 5115)),
        ((100, 70), (64, 96), (137, 96)),  # 137.1: cut
        ((1, 1), (64, 96), (96, 96)),
    ],
)
def test_an_image_under_the_window_is_scaled_up(
    size: tuple[int, int], window: tuple[int, int], large: tuple[int, int]
) -> None:
    assert size_for_windows(size, window) == large


@pytest.mark.parametrize(
    ("size", "window", "scaled"),
    [
        ((512, 683), (512, 512), (512, 683)),
        ((1024, 2048), (512, 512), (512, 1024)),
        ((640, 480), (512, 512), (682, 512)),  # 682.7: cut
        ((1024, 2048), (512, 1024), (512, 1024)),  # no axis is longer than a window
        ((480, 640), (512, 1024), (768, 1024)),  # windows that are not square: along the short side
        ((1, 3), (64, 96), (64, 192)),
    ],
)
def test_a_window_fits_exactly_along_one_axis(
    size: tuple[int, int], window: tuple[int, int], scaled: tuple[int, int]
) -> None:
    assert size_of_windows(size, window) == scaled


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_window_lies_on_every_image(height: int, width: int, down: int, across: int) -> None:
    large = size_for_windows((height, width), (down, across))
    assert large[0] >= max(down, height) and large[1] >= max(across, width)
    scaled = size_of_windows((height, width), (down, across))
    assert scaled[0] >= down and scaled[1] >= across
    assert scaled[0] == down or scaled[1] == across
