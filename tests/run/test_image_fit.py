"""Images to windows."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from mpm_deploy.artifact import InputInfo
from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.images.decode import fit, scale
from mpm_deploy.run.image_fit import Resize, Slide, SlideEvenly, image_fit_of

STATS = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
RESIZED = InputInfo(32, 48, *STATS, "resize")
SLID = InputInfo(32, 48, *STATS, "slide", 20, 40, 4.0)
SLID_EVENLY = InputInfo(32, 48, *STATS, "slide_evenly")


def pixels(height: int, width: int) -> torch.Tensor:
    generator = np.random.default_rng(height * width)
    return torch.from_numpy(generator.integers(0, 256, (3, height, width), dtype=np.uint8))


def test_the_manifest_names_the_way() -> None:
    assert image_fit_of(RESIZED) == Resize((32, 48))
    assert image_fit_of(SLID) == Slide((32, 48), 20, 40, 4.0)
    assert image_fit_of(SLID, stride=7) == Slide((32, 48), 7, 40, 4.0)
    assert image_fit_of(SLID_EVENLY) == SlideEvenly((32, 48))


@pytest.mark.parametrize(
    ("info", "stride", "problem"),
    [
        (RESIZED, 8, "expected none with fit 'resize', got 8"),
        (SLID_EVENLY, 8, "expected none with fit 'slide_evenly', got 8"),
        (SLID, 0, "expected 1 to 32"),
        (SLID, 33, "expected 1 to 32"),
    ],
)
def test_a_stride_that_cannot_be_is_refused(info: InputInfo, stride: int, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        image_fit_of(info, stride)


def test_a_resized_image_is_one_window() -> None:
    image = pixels(50, 70)
    fitted = image_fit_of(RESIZED)(image)
    assert fitted.grid is None and fitted.size == (32, 48)
    assert [w.tolist() for w in fitted.windows] == [fit(image, (32, 48)).tolist()]


@pytest.mark.parametrize("size", [(50, 70), (40, 60), (300, 41), (9, 200), (1, 1), (32, 48)])
def test_windows_are_cut_from_the_scaled_image(size: tuple[int, int]) -> None:
    fitted = image_fit_of(SLID)(pixels(*size))
    assert fitted.grid is not None and fitted.grid.size == fitted.size
    assert min(fitted.size) >= 40 or max(fitted.size) >= 160  # short side, or long side at most
    assert len(fitted.windows) == len(list(fitted.grid.corners()))
    whole = torch.full((3, *fitted.size), 0, dtype=torch.uint8)
    for (top, left), window in zip(fitted.grid.corners(), fitted.windows, strict=True):
        assert window.shape == (3, 32, 48)
        whole[:, top : top + 32, left : left + 48] = window
    for (top, left), window in zip(fitted.grid.corners(), fitted.windows, strict=True):
        assert torch.equal(whole[:, top : top + 32, left : left + 48], window)
    if size == (40, 60):  # scaled already
        assert torch.equal(whole, pixels(*size))


@pytest.mark.parametrize(
    ("size", "scaled", "corners"),
    [
        ((32, 48), (32, 48), [(0, 0)]),
        ((1, 1), (48, 48), [(0, 0), (16, 0)]),
        ((320, 960), (32, 96), [(0, 0), (0, 48)]),
        ((33, 240), (32, 232), [(0, 0), (0, 46), (0, 92), (0, 138), (0, 184)]),
        ((200, 100), (96, 48), [(0, 0), (32, 0), (64, 0)]),
    ],
)
def test_even_windows_are_cut_along_one_axis_of_the_antialiased_image(
    size: tuple[int, int], scaled: tuple[int, int], corners: list[tuple[int, int]]
) -> None:
    image = pixels(*size)
    fitted = image_fit_of(SLID_EVENLY)(image)
    assert fitted.grid is not None and fitted.grid.size == fitted.size == scaled
    assert list(fitted.grid.corners()) == corners
    resized = fit(image, scaled)
    for (top, left), window in zip(corners, fitted.windows, strict=True):
        assert torch.equal(window, resized[:, top : top + 32, left : left + 48])


def test_scaling_is_bilinear_and_not_antialiased() -> None:
    image = pixels(50, 70)
    for size in ((100, 33), (20, 28), (51, 70)):
        exact = functional.interpolate(image[None].double(), size=size, mode="bilinear")[0]
        # Each axis rounds to whole numbers once; its weights are fixed-point.
        assert (scale(image, size) - exact).abs().max() < 1.05
    assert (fit(image, (20, 28)).int() - scale(image, (20, 28))).abs().max() > 10


def test_an_image_that_is_scaled_twice_is_scaled_as_said() -> None:
    """5 × 100 with a short side of 40 and a long one of 160 at most: 8 × 160, then 32 × 640."""
    image = pixels(5, 100)
    fitted = image_fit_of(SLID)(image)
    assert fitted.size == (32, 640)
    assert torch.equal(fitted.windows[0], scale(scale(image, (8, 160)), (32, 640))[:, :32, :48])


def test_an_image_that_would_become_huge_is_refused() -> None:
    with pytest.raises(ImageError, match="40000 x 2 pixels are too narrow to slide over"):
        Slide((512, 512), 512, 512, 100.0)(torch.zeros(3, 2, 40_000, dtype=torch.uint8))
    with pytest.raises(ImageError, match=r"40000 x 2 pixels .*: 10240000 x 512 once"):
        SlideEvenly((512, 512))(torch.zeros(3, 2, 40_000, dtype=torch.uint8))
