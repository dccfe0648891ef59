"""Bytes by a table: the kernel that a compiled file holds, against the plain version."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.ops import byte_table
from mpm_deploy.ops.byte_table import reference
from tests.support.compiled import CHOOSE_NOTHING, compiled_with_kernels, export, targets

SIZES = [(1, 1), (1, 63), (3, 64), (5, 65), (590, 768)]


class LooksUp(nn.Module):
    """Through what a model gets."""

    def forward(self, values: Tensor, table: Tensor) -> Tensor:
        return byte_table.look_up(values, table)


@pytest.fixture(scope="module")
def exported() -> torch.export.ExportedProgram:
    """`LooksUp` for any number of rows and columns."""
    shapes = ({0: torch.export.Dim("rows"), 1: torch.export.Dim("columns")}, None)
    given = torch.zeros(4, 5, dtype=torch.uint8), torch.zeros(256, dtype=torch.uint8)
    return export(LooksUp(), given, shapes)


@pytest.fixture(scope="module", params=[(), (CHOOSE_NOTHING,)], ids=["any", "AVX-512 VBMI out"])
def compiled(
    request: pytest.FixtureRequest,
    exported: torch.export.ExportedProgram,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Tensor]:
    """The same in a ``.pt2``."""
    folder = tmp_path_factory.mktemp("looks_up")
    return compiled_with_kernels(exported, folder, "native", *request.param)


@pytest.mark.filterwarnings("ignore")  # Inductor's own
def test_the_kernel_is_the_plain_version(
    exported: torch.export.ExportedProgram, compiled: Callable[..., Tensor]
) -> None:
    assert "mpm.look_up.default" in targets(exported)
    generator = torch.Generator().manual_seed(0)
    table = torch.randperm(256, generator=generator).to(torch.uint8)
    for size in SIZES:
        values = torch.randint(256, size, generator=generator, dtype=torch.uint8)
        assert torch.equal(compiled(values, table), reference.look_up(values, table)), size


def test_eager_models_get_the_plain_version() -> None:
    table = torch.arange(255, -1, -1).to(torch.uint8)
    values = torch.tensor([[0, 1, 128, 255]], dtype=torch.uint8)
    assert byte_table.look_up(values, table).tolist() == [[255, 254, 127, 0]]
