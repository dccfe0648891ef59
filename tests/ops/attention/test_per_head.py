"""Attention head by head against the plain version, eager and compiled."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.ops import attention as chosen
from mpm_deploy.ops.attention import per_head
from mpm_deploy.ops.attention.reference import attention as plain
from mpm_deploy.ops.inner_products import inner_products
from tests.ops.attention.test_reference import random_log_weights, random_qkv
from tests.support.compiled import compiled_with_kernels, targets
from tests.support.packed import offsets_of

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13, torch.bfloat16: 2e-2}
every_lengths = pytest.mark.parametrize(
    "lengths", [[1], [50], [7, 1, 30], [16, 16, 16], [0, 5, 0, 0, 12, 0]], ids=str
)


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@every_lengths
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_plain_version(weighted: bool, lengths: list[int], dtype: torch.dtype) -> None:
    total = sum(lengths)
    q, k, v = random_qkv(total, dtype)
    weights = random_log_weights(total, torch.float32) if weighted else None
    arguments = (q, k, v, offsets_of(lengths), max(lengths, default=0), weights)

    got, expected = per_head.attention(*arguments), plain(*arguments)

    assert got.dtype == dtype
    torch.testing.assert_close(got, expected, atol=TOLERANCE[dtype], rtol=0)


def test_large_scores_do_not_overflow() -> None:
    q, k, v = random_qkv(20, torch.float32)
    arguments = (100 * q, 100 * k, v, offsets_of([20]), 20)
    torch.testing.assert_close(per_head.attention(*arguments), plain(*arguments))


class Attends(nn.Module):
    """Packed rows of one image through what a model gets."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, weights: Tensor) -> Tensor:
        offsets = torch.arange(2, dtype=torch.int32) * q.shape[0]
        return chosen.attention(q, k, v, offsets, q.shape[0], weights)


def test_eager_models_get_the_plain_version() -> None:
    q, k, v = random_qkv(30, torch.float32)
    weights = random_log_weights(30, torch.float32)
    expected = plain(q, k, v, offsets_of([30]), 30, weights)
    assert torch.equal(Attends()(q, k, v, weights), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("intel", [False, True], ids=["another", "intel"])
def test_exported_and_compiled_it_stays_the_same(
    intel: bool, dtype: torch.dtype, tmp_path: Path
) -> None:
    q, k, v = random_qkv(40, dtype)
    weights = random_log_weights(40, torch.float32)
    rows = torch.export.Dim("rows", min=2, max=2048)
    shapes = ({0: rows}, {0: rows}, {0: rows}, {0: rows})
    with chosen.exported_for(intel=intel):
        exported = torch.export.export(Attends(), (q, k, v, weights), dynamic_shapes=shapes)
    ours = {"mpm.inner_products.default", "mpm.attention_weights.default"}
    assert ours & targets(exported) == (set() if intel else ours)

    compiled = compiled_with_kernels(exported, tmp_path)

    for count in (40, 33):
        q, k, v = random_qkv(count, dtype)
        weights = random_log_weights(count, torch.float32)
        expected = plain(q, k, v, offsets_of([count]), count, weights)
        got = compiled(q, k, v, weights)
        torch.testing.assert_close(got, expected, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="a torch without oneDNN")
@pytest.mark.parametrize("width", [37, 64, 192, 768])
def test_products_of_equal_rows_are_equal_where_onednn_multiplies(width: int) -> None:
    generator = torch.Generator().manual_seed(width)
    for count in (*range(1, 70, 4), 197, 577, 1025):
        order = torch.randint(0, 1 + count // 5, (count,), generator=generator)
        rows = functional.normalize(torch.randn(1 + count // 5, width, generator=generator))[order]
        products = torch.ops.mkldnn._linear_pointwise(rows, rows, None, "none", [], "")
        first = (order[:, None] == order).int().argmax(dim=1)
        assert torch.equal(products, products[:, first])


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_inner_products_are_those_of_rows(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(rows, 5, generator=generator)
    other = torch.randn(3, 5, generator=generator)
    expected = [[float(torch.dot(a, b)) for b in other] for a in one]
    torch.testing.assert_close(inner_products(one, other), torch.tensor(expected).reshape(rows, 3))
