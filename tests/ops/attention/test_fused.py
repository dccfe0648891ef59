"""Attention by the kernel that a compiled file holds, against the plain version."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.ops import attention as chosen
from mpm_deploy.ops.attention import fused
from mpm_deploy.ops.attention.reference import attention as plain
from tests.ops.attention.test_reference import random_log_weights, random_qkv
from tests.support.compiled import CHOOSE_NOTHING, compiled_with_kernels, export, targets
from tests.support.packed import offsets_of

# In bfloat16 weights are rounded to 8 bits, before they are summed up and after.
TOLERANCE = {torch.float32: 5e-6, torch.bfloat16: 2e-2}
LENGTHS = [[1], [5], [64], [590], [1025], [7, 1, 30], [16, 16, 16], [0, 5, 0, 0, 130, 0]]
WIDTHS = [1, 7, 32, 36, 64, 72, 80]  # of a head

pytestmark = pytest.mark.filterwarnings("ignore")  # Inductor's own


class Attends(nn.Module):
    """Packed rows, as one layer writes them, through what a model gets."""

    def forward(self, qkv: Tensor, offsets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = qkv.unbind(1)  # (T, heads, D) each
        given = q, k, v, offsets, q.shape[0]
        return chosen.attention(*given, weights), chosen.attention(*given)


@pytest.fixture(scope="module", params=list(TOLERANCE), ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """What the kernel is for."""
    return request.param


@pytest.fixture(scope="module")
def exported(dtype: torch.dtype) -> torch.export.ExportedProgram:
    """`Attends` for any number of rows, images and channels of a head."""
    rows, ends, width = (torch.export.Dim(n, min=1, max=4096) for n in ("rows", "ends", "width"))
    given = torch.zeros(9, 3, 2, 16, dtype=dtype), offsets_of([4, 5]), torch.zeros(9)
    shapes = ({0: rows, 3: width}, {0: ends}, {0: rows})
    return export(Attends(), given, shapes)


@pytest.fixture(scope="module", params=[("native",), ("native", CHOOSE_NOTHING), ("x86-64-v3",)])
def compiled(
    request: pytest.FixtureRequest,
    exported: torch.export.ExportedProgram,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., tuple[Tensor, Tensor]]:
    """`Attends` in a ``.pt2``, for this processor, for such a one without AMX, and for a level."""
    return compiled_with_kernels(exported, tmp_path_factory.mktemp("attends"), *request.param)


def test_an_exported_model_calls_the_kernel(exported: torch.export.ExportedProgram) -> None:
    assert "mpm.attention.default" in targets(exported)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_the_kernel_is_the_plain_version(
    compiled: Callable[..., tuple[Tensor, Tensor]], dtype: torch.dtype, lengths: list[int]
) -> None:
    for width in WIDTHS if max(lengths) < 100 else [64]:
        qkv, weights = _random(sum(lengths), width, dtype)
        offsets = offsets_of(lengths)
        expected = Attends()(qkv.double(), offsets, weights.double())

        got = compiled(qkv, offsets, weights)

        for attended, exact in zip(got, expected, strict=True):
            assert attended.dtype == dtype
            error = (attended.double() - exact).abs().max()
            assert error <= TOLERANCE[dtype], (width, error)


@pytest.mark.parametrize("factor", [1e2, 3e4, 1e5])
def test_large_scores_do_not_overflow(
    compiled: Callable[..., tuple[Tensor, Tensor]], dtype: torch.dtype, factor: float
) -> None:
    qkv, weights = _random(20, 64, dtype)
    qkv[:, :2] *= factor
    expected = Attends()(qkv.double(), offsets_of([20]), weights.double())
    for attended, exact in zip(compiled(qkv, offsets_of([20]), weights), expected, strict=True):
        torch.testing.assert_close(attended.double(), exact, atol=0.03, rtol=0.03)


def test_not_a_number_stays_with_its_query_and_its_image(
    compiled: Callable[..., tuple[Tensor, Tensor]], dtype: torch.dtype
) -> None:
    qkv, weights = _random(80, 64, dtype)
    qkv[3, 0, 0, 0] = torch.nan  # a query of the first image
    qkv[50, 1, 1, 0] = torch.nan  # a key of the second, which all of its queries see
    for attended in compiled(qkv, offsets_of([40, 40]), weights):
        has = attended.isnan().any(dim=2)  # (T, heads)
        assert has[:, 0].nonzero().flatten().tolist() == [3]
        assert has[:, 1].nonzero().flatten().tolist() == list(range(40, 80))


def test_values_that_are_not_finite_stay_with_their_image_and_channel(
    compiled: Callable[..., tuple[Tensor, Tensor]], dtype: torch.dtype
) -> None:
    qkv, weights = _random(80, 64, dtype)
    qkv[3, 2, 0, 5] = torch.nan
    qkv[9, 2, 1, 7] = torch.inf
    for attended in compiled(qkv, offsets_of([40, 40]), weights):
        wrong = ~attended.isfinite()  # (T, heads, D)
        assert wrong[:40, 0, 5].all()
        assert wrong[:40, 1, 7].all()
        assert wrong.sum() == 80


def test_other_engines_get_operators_of_pytorch(dtype: torch.dtype) -> None:
    qkv, weights = _random(9, 16, dtype)
    exported = torch.export.export(Attends(), (qkv, offsets_of([9]), weights))
    assert not any(target.startswith("mpm") for target in targets(exported))


def test_eager_models_get_the_plain_version() -> None:
    q, k, v = random_qkv(30, torch.float32)
    weights = random_log_weights(30, torch.float32)
    arguments: Any = (q, k, v, offsets_of([30]), 30, weights)
    assert torch.equal(chosen.attention(*arguments), plain(*arguments))
    assert torch.equal(fused.attention(*arguments), plain(*arguments))


def _random(rows: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Queries, keys and values ``(rows, 3, 2, width)``, and log-weights of keys ``(rows,)``."""
    generator = torch.Generator().manual_seed(rows + width)
    qkv = torch.randn(rows, 3, 2, width, generator=generator).to(dtype)
    return qkv, random_log_weights(rows, torch.float32)
