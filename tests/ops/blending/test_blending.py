"""Blending of a grid with its neighbors: by hand, and every version against the plain one."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.ops import blending
from mpm_deploy.ops.blending import kernel, reference, shifts
from tests.support.compiled import compiled_with_kernels, export, targets

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2.0**-7}
WIDTHS = (1, 5, 16, 19, 40)  # of a channel alone, less than a register, one, one and a rest, ...
every_grid = pytest.mark.parametrize("grid", [(1, 1), (2, 3), (4, 1), (8, 5)], ids=str)


def random_cells(
    images: int, grid: tuple[int, int], width: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(width)
    cells = torch.randn(images, *grid, 4 * width, generator=generator)
    return cells.to(dtype), torch.randn(width, 1, 3, 3, generator=generator).to(dtype)


def test_places_are_laid_out_and_blended_as_by_hand() -> None:
    cells = torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]])  # of one channel
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 10  # itself
    weight[0, 0, 1, 2] = 1  # its neighbor to the right
    blended = reference.blend(cells, weight)[0, :, :, 0]
    assert blended.tolist() == [[12, 25, 56, 60], [34, 47, 78, 80]]


@every_grid
def test_a_sum_of_shifts_is_the_plain_version(grid: tuple[int, int]) -> None:
    cells, weight = random_cells(2, grid, 4, torch.float64)
    expected = reference.blend(cells, weight)
    torch.testing.assert_close(shifts.blend(cells, weight), expected, atol=1e-12, rtol=0)


class Blends(nn.Module):
    """Cells of every width, through what a model gets."""

    def forward(self, cells: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
        return [blending.blend(*pair) for pair in zip(cells, weights, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_what_has_no_kernel_is_exported_as_shifts(dtype: torch.dtype) -> None:
    cells, weight = random_cells(1, (2, 2), 4, dtype)
    exported = export(Blends(), ([cells], [weight]))
    assert not kernel.suits(cells)
    assert "mpm.blend.default" not in targets(exported)


@pytest.fixture(scope="module", params=list(TOLERANCE), ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """What a kernel exists for."""
    return request.param


@pytest.fixture(scope="module")
def compiled(dtype: torch.dtype, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    """`Blends` in a ``.pt2``, for grids of any size."""
    pairs = [random_cells(2, (3, 5), width, dtype) for width in WIDTHS]
    cells, weights = map(list, zip(*pairs, strict=True))
    images, down, across = (torch.export.Dim(name, min=1, max=64) for name in ("b", "h", "w"))
    sizes = [{0: images, 1: down, 2: across}] * len(WIDTHS)
    exported = export(Blends(), (cells, weights), (sizes, [None] * len(WIDTHS)))
    assert "mpm.blend.default" in targets(exported)
    return compiled_with_kernels(exported, tmp_path_factory.mktemp("blends"))


@pytest.mark.filterwarnings("ignore")  # Inductor's own
@every_grid
@pytest.mark.parametrize("images", [1, 3])
def test_the_kernel_is_the_plain_version(
    compiled: Callable[..., list[Tensor]],
    dtype: torch.dtype,
    images: int,
    grid: tuple[int, int],
) -> None:
    pairs = [random_cells(images, grid, width, dtype) for width in WIDTHS]
    results = compiled(*map(list, zip(*pairs, strict=True)))
    for (cells, weight), got in zip(pairs, results, strict=True):
        expected = reference.blend(cells.double(), weight.double())
        assert got.dtype == dtype
        tolerance = TOLERANCE[dtype]
        torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=tolerance)
