"""Inner products of rows, which decide whether tokens merge."""

import pytest
import torch
from torch.nn import functional

from mpm_deploy.ops.inner_products import inner_products


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
