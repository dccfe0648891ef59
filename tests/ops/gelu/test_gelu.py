"""GELU: every version against the plain one."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.ops import gelu as chosen
from mpm_deploy.ops.gelu import kernel
from tests.support.compiled import compiled_with_kernels, export, targets


class Gelu(nn.Module):
    """Through what a model gets."""

    def forward(self, rows: Tensor) -> Tensor:
        return chosen.gelu(rows)


@pytest.fixture(scope="module")
def exported() -> torch.export.ExportedProgram:
    """`Gelu` of any number of rows and columns."""
    shapes = ({0: torch.export.Dim("rows"), 1: torch.export.Dim("columns")},)
    return export(Gelu(), (torch.zeros(4, 5).bfloat16(),), shapes)


@pytest.fixture(scope="module", params=["native", "x86-64-v4"])
def compiled(
    request: pytest.FixtureRequest,
    exported: torch.export.ExportedProgram,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Tensor]:
    """The same in a ``.pt2``."""
    return compiled_with_kernels(exported, tmp_path_factory.mktemp("gelu"), request.param)


@pytest.mark.filterwarnings("ignore")  # Inductor's own
def test_the_kernel_is_the_plain_version_of_every_number(
    exported: torch.export.ExportedProgram, compiled: Callable[..., Tensor]
) -> None:
    assert "mpm.gelu.default" in targets(exported)
    numbers = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    rows = numbers[numbers.isfinite()].reshape(2, -1)
    exact = functional.gelu(rows.double())

    got = compiled(rows).double()

    error = (got - exact).abs()
    assert (error <= 2e-4 + 2.0**-8 * exact.abs()).all()
    assert (error[exact.abs() < 1] <= 2.1e-3).all()  # half of bfloat16's step below 1, and 1e-4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("columns", [1, 15, 31, 33, 8193])
def test_every_length_is_computed_to_its_end(compiled: Callable[..., Tensor], columns: int) -> None:
    rows = torch.randn(3, columns, generator=torch.Generator().manual_seed(0)).bfloat16()
    rows[1, -1] = torch.nan
    got = compiled(rows)
    torch.testing.assert_close(got, functional.gelu(rows), atol=1e-2, rtol=0, equal_nan=True)


def test_cells_of_images_get_the_kernel_as_rows_do() -> None:
    """As in ViT-Adapter's feed-forward networks, whose cells come out of a convolution."""
    cells = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    cells = cells.transpose(1, 2)  # (B, S, M)
    exported = export(Gelu(), (cells,))
    assert "mpm.gelu.default" in targets(exported)
    assert torch.equal(exported.module()(cells), functional.gelu(cells))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_what_has_no_kernel_is_exported_as_it_is(dtype: torch.dtype) -> None:
    rows = torch.zeros(4, 5, dtype=dtype)
    assert not kernel.suits(rows)
    assert "mpm.gelu.default" not in targets(export(Gelu(), (rows,)))


def test_other_engines_get_operators_of_pytorch() -> None:
    exported = torch.export.export(Gelu(), (torch.zeros(4, 5).bfloat16(),))
    assert targets(exported) & {"aten.gelu.default"}


def test_eager_models_get_the_plain_version() -> None:
    rows = torch.randn(4, 5).bfloat16()
    assert torch.equal(chosen.gelu(rows), functional.gelu(rows))
