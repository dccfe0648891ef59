"""Label maps of windows against a mean worked out pixel by pixel in float64."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from mpm_deploy.errors import InputError
from mpm_deploy.images.windows import WindowGrid, lay_windows
from mpm_deploy.ops.label_map import native
from mpm_deploy.ops.label_map import windows as window_label_map
from mpm_deploy.ops.label_map.reference import label_map
from tests.ops.label_map.scores_made import (
    Array,
    interpolation,
    random_scores,
    smooth_scores,
    tied_scores,
)
from tests.ops.label_map.test_native import require_native

Version = Callable[[Tensor, WindowGrid, tuple[int, int]], Tensor]
Size = tuple[int, int]


def scores_for(grid: WindowGrid, classes: int, coarse: Size, make: Callable = random_scores):
    return make(len(list(grid.corners())), classes, *coarse)


def exact_scores(scores: Tensor, grid: WindowGrid, size: Size) -> Array:
    """``(K, *size)``, one pixel after the other, straight from the definition."""
    windows = scores.double().numpy()
    down, across = (
        interpolation(c, side) for c, side in zip(scores.shape[2:], grid.window, strict=True)
    )
    means = np.zeros((scores.shape[1], *grid.size))
    for y in range(grid.size[0]):
        for x in range(grid.size[1]):
            there = [
                down[y - top] @ window @ across[x - left]
                for (top, left), window in zip(grid.corners(), windows, strict=True)
                if 0 <= y - top < grid.window[0] and 0 <= x - left < grid.window[1]
            ]
            means[:, y, x] = sum(there) / len(there)
    rows = interpolation(grid.size[0], size[0]) @ means
    return rows @ interpolation(grid.size[1], size[1]).T


CASES = [
    # image, window, stride, scores, label map
    ((20, 30), (12, 12), 12, (3, 3), (25, 31)),
    ((20, 30), (12, 12), 5, (3, 3), (20, 30)),
    ((12, 40), (12, 16), 7, (4, 5), (6, 22)),
    ((40, 12), (16, 12), 1, (1, 2), (50, 9)),
    ((12, 12), (12, 12), 12, (3, 3), (20, 17)),
    ((9, 9), (8, 8), 8, (8, 8), (1, 1)),
]


@pytest.mark.parametrize(("image", "window", "stride", "coarse", "size"), CASES, ids=str)
def test_every_label_is_a_highest_class(
    image: Size, window: Size, stride: int, coarse: Size, size: Size
) -> None:
    grid = lay_windows(image, window, stride)
    scores = scores_for(grid, 6, coarse)
    labels = window_label_map.window_label_map(scores, grid, size)
    assert labels.shape == size and labels.dtype == torch.uint8
    exact = exact_scores(scores, grid, size)
    chosen = np.take_along_axis(exact, labels.numpy().astype(np.int64)[None], axis=0)[0]
    slack = 1e-6 * max(image) * float(scores.abs().max())
    assert (chosen >= exact.max(axis=0) - slack).all()
    assert ((exact >= exact.max(axis=0) - slack).sum(axis=0) == 1).mean() > 0.98


@pytest.mark.parametrize("size", [(16, 24), (31, 50)])
def test_one_window_of_the_label_maps_size_is_the_label_map(size: Size) -> None:
    """The one case in which `label_map` may stand in, which is faster."""
    for make in (random_scores, smooth_scores, tied_scores):
        scores = make(1, 20, 4, 6)
        labels = window_label_map.window_label_map(scores, lay_windows(size, size, 1), size)
        assert torch.equal(labels, label_map(scores, size)[0])


def test_the_lowest_class_takes_a_tie() -> None:
    grid = lay_windows((20, 30), (16, 16), 8)
    scores = scores_for(grid, 1, (4, 4)).repeat(1, 5, 1, 1)
    assert not window_label_map.window_label_map(scores, grid, (33, 44)).any()


def test_classes_are_worked_on_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = lay_windows((20, 30), (16, 16), 8)
    scores = scores_for(grid, 12, (4, 4))
    together = window_label_map.window_label_map(scores, grid, (33, 44))
    monkeypatch.setattr(window_label_map, "_ELEMENTS", {"cpu": 1})
    assert torch.equal(window_label_map.window_label_map(scores, grid, (33, 44)), together)


def varied() -> Iterator[tuple[Tensor, WindowGrid, Size]]:
    """Scores, grids and sizes of every kind."""
    generator = np.random.default_rng(3)
    for turn in range(120):
        window = tuple(generator.integers(1, 40, 2).tolist())
        image = tuple(int(w + generator.integers(0, 50) * (turn % 5 > 0)) for w in window)
        stride = int(generator.integers(-(-min(window) // 4), min(window) + 1))
        grid = lay_windows(image, window, stride)
        coarse = tuple(generator.integers(1, 9, 2).tolist())
        make = (random_scores, smooth_scores, tied_scores)[turn % 3]
        classes = (1, 2, 7, 30, 256, 257)[turn % 6]
        size = image if turn % 4 == 0 else tuple(generator.integers(1, 90, 2).tolist())
        yield scores_for(grid, classes, coarse, make), grid, size


def test_native_is_equal_to_the_bit() -> None:
    require_native()
    for scores, grid, size in varied():
        expected = window_label_map.window_label_map(scores, grid, size)
        labels = native.window_label_map(scores, grid, size)
        assert labels.dtype == expected.dtype
        assert torch.equal(labels, expected), (scores.shape, grid, size)


def test_native_refuses_what_does_not_fit() -> None:
    require_native()
    grid = lay_windows((20, 30), (16, 16), 8)
    good = scores_for(grid, 3, (4, 4))
    gap = WindowGrid((20, 33), (16, 16), (0, 4), (0, 17))
    for scores, of, size in (
        (good[:-1], grid, (5, 5)),
        (good, grid, (0, 5)),
        (good.double(), grid, (5, 5)),
        (good[:4], gap, (5, 5)),
        (good[:2], WindowGrid((20, 16), (16, 16), (0, 3), (0,)), (5, 5)),
    ):
        with pytest.raises(InputError):
            native.window_label_map(scores, of, size)
