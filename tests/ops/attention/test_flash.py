"""Attention by flash kernels: what they are given, with stand-ins of their signature on the CPU.

The kernels themselves are held to the plain version in `test_cuda.py`, on a machine that has a GPU.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.ops.attention import flash
from mpm_deploy.ops.attention.reference import attention as plain
from tests.ops.attention.test_reference import (
    every_lengths,
    random_log_weights,
    random_qkv,
    written_out,
)
from tests.support.packed import offsets_of

# Errors of scores that are sums of 16 or 18 products, and in bfloat16 of what is rounded to 8 bits.
TOLERANCE = {torch.float32: 4e-6, torch.bfloat16: 2e-2}
ATTENTION = torch.ops.aten._flash_attention_forward, torch.ops.aten._efficient_attention_forward


def stand_in(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor | None, max_length: int, scale: float
) -> Tensor:
    """Both kernels of `flash`: the plain version, which has its own scale."""
    own = q.shape[-1] ** -0.5
    if offsets is None:
        offsets = offsets_of([q.shape[1]] * len(q))
    rows = (part.reshape(-1, *part.shape[-2:]) for part in (q * (scale / own), k, v))
    attended = plain(*rows, offsets, max_length)
    return attended.reshape(q.shape)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kernels on the CPU; the names of those that were called, and how."""
    called: list[str] = []

    def noted(name: str) -> Callable[..., Tensor]:
        def call(q: Tensor, k: Tensor, v: Tensor, offsets: Tensor | None, *rest: float) -> Tensor:
            called.append(f"{name}, {'dense' if offsets is None else 'packed'}")
            return stand_in(q, k, v, offsets, *rest)  # type: ignore[arg-type]

        return call

    for name in ("_flash", "_efficient"):
        monkeypatch.setattr(flash, name, noted(name))
    return called


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@every_lengths
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_softmax_within_each_image(
    kernels: list[str], weighted: bool, lengths: list[int], dtype: torch.dtype
) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), dtype)
    weights = random_log_weights(sum(lengths), torch.float32) if weighted else None
    got = flash.attention(q, k, v, offsets, max(lengths), weights)
    assert got.dtype == dtype
    expected = written_out(q, k, v, offsets, weights)
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=TOLERANCE[dtype])


def test_bfloat16_goes_to_flash_attention(kernels: list[str]) -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        flash.attention(*random_qkv(9, dtype), offsets_of([4, 5]), 5)
    assert kernels == ["_flash, packed", "_flash, packed", "_efficient, packed"]


def test_equal_lengths_are_not_packed(kernels: list[str]) -> None:
    q, k, v = random_qkv(12, torch.float32)
    flash.attention(q, k, v, offsets_of([4, 4, 4]), 4)
    flash.attention(q, k, v, offsets_of([4, 4, 4]), 5)  # an upper bound: they may differ
    assert kernels == ["_efficient, dense", "_efficient, packed"]


def test_weights_in_two_columns_are_as_good_as_in_float32() -> None:
    """In one column of bfloat16 they err by 8e-3, in two by 1.4e-5."""
    rows = torch.zeros(1000, 1, 16, dtype=torch.bfloat16)
    added = torch.linspace(-1, 40, 1000)
    q, k, _ = flash._with_weights(rows, rows, rows, added)
    products = (q.float() * k.float()).sum(dim=2)[:, 0]
    torch.testing.assert_close(products, added, rtol=2.0**-16, atol=0)


def test_columns_are_what_the_kernels_take() -> None:
    rows = torch.zeros(3, 2, 64, dtype=torch.bfloat16)
    for part in flash._with_weights(rows, rows, rows, torch.zeros(3)):
        assert part.shape == (3, 2, 72) and part.is_contiguous()


class Attends(nn.Module):
    """Images of equal lengths, then packed ones, of which an exporter knows no size."""

    def forward(self, rows: Tensor, offsets: Tensor) -> Tensor:
        images = offsets.shape[0] - 1
        torch._check(rows.shape[0] == images * 4)
        dense = flash.attention(rows, rows, rows, offsets, 4)
        kept = rows[rows[:, 0, 0] > 0]
        return flash.attention(kept, kept, kept, offsets, 4), dense


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_it_is_exported_for_any_batch(dtype: torch.dtype) -> None:
    """On tensors without values, whose kernels answer with shapes alone."""
    batch = torch.export.Dim("images", min=1, max=64)
    rows = torch.zeros(8, 3, 64, dtype=dtype, device="meta")
    offsets = torch.zeros(3, dtype=torch.int32, device="meta")
    exported = torch.export.export(
        Attends(), (rows, offsets), dynamic_shapes=({0: 4 * batch}, {0: batch + 1})
    )
    calls = [node for node in exported.graph.nodes if "attention_forward" in str(node.target)]
    dense, packed = calls[0].args, calls[1].args
    assert not any("cum" in str(argument) for argument in dense)
    assert len(calls) == 2 and packed != dense
