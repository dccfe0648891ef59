"""Attention weights: the kernel that a ``.pt2`` holds against the plain version."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.backends.aotinductor import embedded
from mpm_deploy.backends.aotinductor.embedded import embedded_kernels
from mpm_deploy.errors import BuildError
from mpm_deploy.ops.attention.weights import attention_weights
from tests.support.compiled import compiled_with_kernels

SCALE = 0.125
# Float32: the exponent itself is rounded, to 4e-6 where it is -60. Bfloat16 has 8 bits.
TOLERANCE = {torch.float32: 5e-6, torch.bfloat16: 2.0**-8}


class Weighs(nn.Module):
    """Both ways through the operator, with key weights and without."""

    def forward(self, scores: Tensor, key_log_weight: Tensor) -> tuple[Tensor, ...]:
        return (
            *attention_weights(scores, SCALE, key_log_weight),
            *attention_weights(scores, SCALE, None),
        )


@pytest.fixture(scope="module", params=list(TOLERANCE), ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """What a kernel exists for."""
    return request.param


@pytest.fixture(scope="module")
def compiled(dtype: torch.dtype, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    """`Weighs` in a ``.pt2``, for any number of rows and columns."""
    rows, columns = (torch.export.Dim(name, min=1, max=4096) for name in ("rows", "columns"))
    exported = torch.export.export(
        Weighs(),
        (torch.zeros(5, 7, dtype=dtype), torch.zeros(7)),
        dynamic_shapes=({0: rows, 1: columns}, {0: columns}),
    )
    return compiled_with_kernels(exported, tmp_path_factory.mktemp("weighs"))


@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.parametrize("columns", [1, 2, 3, 15, 16, 17, 31, 32, 33, 50, 641, 1025])
def test_the_kernel_is_the_plain_version(
    compiled: Callable[..., tuple[Tensor, ...]], dtype: torch.dtype, columns: int
) -> None:
    generator = torch.Generator().manual_seed(columns)
    for spread in (0.1, 30.0, 400.0):
        scores = (spread * torch.randn(9, columns, generator=generator)).to(dtype)
        scores[0] = scores[0].abs()
        scores[1] = -scores[1].abs()
        scores[2] = scores[2, :1]  # all alike
        log_weights = torch.randn(columns, generator=generator)
        expected = Weighs()(scores.double(), log_weights.double())

        got = compiled(scores, log_weights)

        assert [result.dtype for result in got] == [dtype, torch.float32] * 2
        for result, exact in zip(got, expected, strict=True):
            torch.testing.assert_close(
                result.double(), exact, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
            )


@pytest.mark.filterwarnings("ignore")
def test_sums_are_those_before_rounding(
    compiled: Callable[..., tuple[Tensor, ...]], dtype: torch.dtype
) -> None:
    scores = torch.linspace(-40, 0, 1000).expand(3, 1000).contiguous().to(dtype)
    *_, sums = compiled(scores, torch.zeros(1000))
    exact = torch.exp(scores.double() * SCALE).sum(dim=1, keepdim=True)
    torch.testing.assert_close(sums.double(), exact, rtol=2e-6, atol=0)


@pytest.mark.filterwarnings("ignore")
def test_not_a_number_stays_in_its_row(
    compiled: Callable[..., tuple[Tensor, ...]], dtype: torch.dtype
) -> None:
    scores = torch.zeros(4, 40, dtype=dtype)
    scores[1, 20] = scores[2, 39] = torch.nan
    *_, sums = compiled(scores, torch.zeros(40))
    assert sums.isnan().flatten().tolist() == [False, True, True, False]


def test_a_compiler_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.cpp").write_text("int broken(")
    monkeypatch.setattr(embedded, "_KERNELS", tmp_path)
    with pytest.raises(BuildError, match=r"broken\.cpp"), embedded_kernels(()):
        pass
