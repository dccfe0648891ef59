"""Packed attention against softmax written out, one image and one head at a time."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mpm_deploy.ops.attention.reference import attention
from tests.support.packed import offsets_of, unpack
from tests.support.scripting import script

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13}
every_dtype = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
every_lengths = pytest.mark.parametrize(
    "lengths",
    [[1], [50], [7, 1, 30], [16, 16, 16], [0, 5, 0, 0, 12, 0], [1, 1, 1]],
    ids=str,
)


def written_out(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, key_log_weight: Tensor | None = None
) -> Tensor:
    """softmax(q k^T / sqrt(D) + key_log_weight) v in float64: (T, heads, D)."""
    weights = torch.zeros(len(q)) if key_log_weight is None else key_log_weight
    parts = (unpack(rows.double(), offsets) for rows in (q, k, v, weights))
    images = [attend(*image) for image in zip(*parts, strict=True)]
    return torch.from_numpy(np.concatenate(images))


def attend(q: Tensor, k: Tensor, v: Tensor, weights: Tensor) -> np.ndarray:
    """One image: (N, heads, D)."""
    out = np.zeros(q.shape)
    for head in range(q.shape[1]):
        keys, values = k[:, head].numpy(), v[:, head].numpy()
        for i, query in enumerate(q[:, head].numpy()):
            scores = keys @ query / np.sqrt(len(query)) + weights.numpy()
            shares = np.exp(scores - scores.max())
            out[i, head] = shares @ values / shares.sum()
    return out


def random_qkv(count: int, dtype: torch.dtype, heads: int = 3, width: int = 16) -> list[Tensor]:
    """q, k and v, each (count, heads, width), with scores far from uniform."""
    generator = torch.Generator().manual_seed(count)
    shape = (count, heads, width)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in "qkv"]


def random_log_weights(count: int, dtype: torch.dtype) -> Tensor:
    """Logarithms of counts from 1 to 8: (count,)."""
    generator = torch.Generator().manual_seed(count)
    return torch.randint(1, 9, (count,), generator=generator).to(dtype).log()


@every_dtype
@every_lengths
@pytest.mark.parametrize("weighted", [False, True])
def test_attention_is_softmax_within_each_image(
    weighted: bool, lengths: list[int], dtype: torch.dtype
) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), dtype)
    weights = random_log_weights(sum(lengths), dtype) if weighted else None
    got = attention(q, k, v, offsets, max(lengths), weights)
    assert got.dtype == dtype
    expected = written_out(q, k, v, offsets, weights)
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("lengths", [[6, 9, 20], [12, 12, 12]], ids=str)
def test_another_image_changes_nothing(lengths: list[int]) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), torch.float32)
    before = attention(q, k, v, offsets, max(lengths))
    last = int(offsets[-2])
    q[last:], k[last:], v[last:] = 5 * q[last:], -k[last:], 100 + v[last:]
    after = attention(q, k, v, offsets, max(lengths))
    assert torch.equal(before[:last], after[:last])
    assert not torch.equal(before[last:], after[last:])


@every_dtype
@pytest.mark.parametrize("lengths", [[33] * 32, list(range(1, 33))], ids=["equal", "different"])
def test_an_image_attends_alone_as_in_a_batch_of_32(lengths: list[int], dtype: torch.dtype) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), dtype)
    together = unpack(attention(q, k, v, offsets, 33), offsets)
    images = zip(*(unpack(rows, offsets) for rows in (q, k, v)), strict=True)
    for image, (q1, k1, v1) in zip(together, images, strict=True):
        alone = attention(q1, k1, v1, offsets_of([len(q1)]), len(q1))
        torch.testing.assert_close(image, alone, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("lengths", [[6, 9, 20], [12, 12, 12]], ids=str)
def test_max_length_may_be_an_upper_bound(lengths: list[int]) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), torch.float32)
    tight = attention(q, k, v, offsets, max(lengths))
    loose = attention(q, k, v, offsets, 100)
    torch.testing.assert_close(loose, tight, rtol=0, atol=TOLERANCE[torch.float32])


@pytest.mark.parametrize("lengths", [[40], [11, 2, 25], [14, 14]], ids=str)
def test_copies_of_a_key_weigh_as_one_with_the_logarithm_of_their_count(
    lengths: list[int],
) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), torch.float64)
    counts = random_log_weights(sum(lengths), torch.float64).exp().round().long()
    copies = torch.arange(len(q)).repeat_interleave(counts)  # the merge map of the copies
    copied_lengths = [int(image.sum()) for image in unpack(counts, offsets)]

    once = attention(q, k, v, offsets, max(lengths), counts.double().log())
    copied = attention(
        q[copies], k[copies], v[copies], offsets_of(copied_lengths), max(copied_lengths)
    )
    torch.testing.assert_close(once[copies], copied, rtol=0, atol=1e-12)


def test_large_scores_do_not_overflow() -> None:
    q, k, v = (1000 * rows for rows in random_qkv(12, torch.float32))
    got = attention(q, k, v, offsets_of([5, 7]), 7)
    expected = written_out(q, k, v, offsets_of([5, 7]))
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-3)


def test_bfloat16_stays_near_the_truth() -> None:
    offsets = offsets_of([20, 13])
    q, k, v = random_qkv(33, torch.bfloat16)
    weights = random_log_weights(33, torch.float32)
    got = attention(q, k, v, offsets, 20, weights.bfloat16())
    assert got.dtype == torch.bfloat16
    expected = written_out(q, k, v, offsets, weights.bfloat16())
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=2e-2)


def test_rows_of_one_projection_may_be_given_as_they_lie() -> None:
    """q, k and v as slices of one (T, 3, heads, D) projection, as a ViT makes them."""
    offsets = offsets_of([9, 4])
    projection = torch.stack(random_qkv(13, torch.float32), dim=1)
    q, k, v = projection.unbind(1)
    got = attention(q, k, v, offsets, 9)
    contiguous = attention(q.contiguous(), k.contiguous(), v.contiguous(), offsets, 9)
    torch.testing.assert_close(got, contiguous, rtol=0, atol=TOLERANCE[torch.float32])


@every_lengths
@pytest.mark.parametrize("weighted", [False, True])
def test_scripted_attention_is_the_same(weighted: bool, lengths: list[int]) -> None:
    offsets = offsets_of(lengths)
    q, k, v = random_qkv(sum(lengths), torch.float32)
    weights = random_log_weights(sum(lengths), torch.float32) if weighted else None
    eager = attention(q, k, v, offsets, max(lengths), weights)
    scripted = script(attention)(q, k, v, offsets, max(lengths), weights)
    assert torch.equal(scripted, eager)
