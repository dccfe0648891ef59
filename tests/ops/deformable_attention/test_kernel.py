"""The kernel of deformable attention in a compiled model, against the plain version."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.ops.deformable_attention import deformable_attention, kernel, reference
from tests.support.compiled import compiled_with_kernels, export, targets

GRIDS = [(3, 5), (6, 2), (1, 1)]
HEADS, POINTS = 2, 3
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2.0**-7}
WIDTHS = (1, 5, 16, 19, 40)  # of a channel alone, less than a register, one, one and a rest, ...
OPERATOR = "mpm.deformable_attention.default"

Given = tuple[Tensor, Tensor, Tensor]


def random_inputs(images: int, queries: int, width: int, dtype: torch.dtype) -> Given:
    """Values, locations from -0.5 to 1.5, of which many lie outside, and weights."""
    generator = torch.Generator().manual_seed(width)
    values = torch.randn(images, 15 + 12 + 1, HEADS, width, generator=generator)
    shape = (images, queries, HEADS, len(GRIDS), POINTS)
    locations = torch.rand(*shape, 2, generator=generator) * 2 - 0.5
    return values.to(dtype), locations, torch.rand(shape, generator=generator).to(dtype)


class Attends(nn.Module):
    """Cells of every width, through what a model gets."""

    def forward(self, given: list[Given]) -> list[Tensor]:
        return [deformable_attention(each[0], GRIDS, each[1], each[2]) for each in given]


def test_only_in_our_files_for_a_cpu_is_the_kernel_called() -> None:
    given = [random_inputs(1, 2, 5, torch.float32)]
    assert OPERATOR in targets(export(Attends(), (given,)))
    assert OPERATOR not in targets(torch.export.export(Attends(), (given,)))
    in_double = [tuple(each.double() for each in given[0])]
    assert not kernel.suits(in_double[0][0], in_double[0][1])
    assert OPERATOR not in targets(export(Attends(), (in_double,)))


@pytest.fixture(scope="module", params=list(TOLERANCE), ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """What a kernel exists for."""
    return request.param


@pytest.fixture(scope="module")
def compiled(dtype: torch.dtype, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    """`Attends` in a ``.pt2``, for any number of images and queries."""
    given = [random_inputs(2, 4, width, dtype) for width in WIDTHS]
    images, queries = (torch.export.Dim(name, min=1, max=64) for name in ("images", "queries"))
    read = {0: images, 1: queries}
    exported = export(Attends(), (given,), ([({0: images}, read, read)] * len(WIDTHS),))
    return compiled_with_kernels(exported, tmp_path_factory.mktemp("attends"))


@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.parametrize("queries", [1, 7])
@pytest.mark.parametrize("images", [1, 3])
def test_the_kernel_is_the_plain_version(
    compiled: Callable[..., list[Tensor]], dtype: torch.dtype, images: int, queries: int
) -> None:
    given = [random_inputs(images, queries, width, dtype) for width in WIDTHS]
    for (values, locations, weights), got in zip(given, compiled(given), strict=True):
        exact = (values.double(), GRIDS, locations.double(), weights.double())
        expected = reference.deformable_attention(*exact)
        assert got.dtype == dtype
        tolerance = TOLERANCE[dtype]
        torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore")  # Inductor's own
def test_a_point_that_is_nowhere_reads_nothing(
    compiled: Callable[..., list[Tensor]], dtype: torch.dtype
) -> None:
    given = [random_inputs(1, 1, width, dtype) for width in WIDTHS]
    for value in (float("nan"), float("inf"), -1e30):
        nowhere = [(each[0], torch.full_like(each[1], value), each[2]) for each in given]
        assert all(not attended.any() for attended in compiled(nowhere))
