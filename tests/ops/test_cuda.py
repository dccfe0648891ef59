"""The GPU's versions against the plain ones, on a GPU."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from mpm_deploy.models.reductions.mpm import mutual_pair_merge
from mpm_deploy.ops.attention import flash
from mpm_deploy.ops.attention.reference import attention as plain_attention
from tests.ops.attention.test_reference import random_log_weights, random_qkv
from tests.support.packed import offsets_of

pytestmark = pytest.mark.cuda

LENGTHS = [1025, 640, 1, 77, 513]
# Against float64: bfloat16 rounds weights and values to 8 bits, float32 sums a thousand products.
TOLERANCE = {torch.bfloat16: 2e-2, torch.float16: 3e-3, torch.float32: 5e-6}


def on_gpu(*tensors: Tensor) -> list[Tensor]:
    return [tensor.cuda() for tensor in tensors]


@pytest.mark.parametrize("lengths", [LENGTHS, [600, 600, 600]], ids=["ragged", "equal"])
@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_attention_is_the_plain_one(weighted: bool, dtype: torch.dtype, lengths: list[int]) -> None:
    q, k, v = random_qkv(sum(lengths), dtype, width=64)
    offsets = offsets_of(lengths)
    weights = random_log_weights(sum(lengths), torch.float32) if weighted else None
    exact = [part.double() for part in (q, k, v)]
    added = None if weights is None else weights.double()
    expected = plain_attention(*exact, offsets, max(lengths), added)
    gpu = on_gpu(q, k, v, offsets)
    got = flash.attention(*gpu, max(lengths), None if weights is None else weights.cuda())
    torch.testing.assert_close(
        got.cpu().double(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype]
    )


def test_bfloat16_runs_flash_kernels_and_no_other() -> None:
    q, k, v, offsets = on_gpu(
        *random_qkv(sum(LENGTHS), torch.bfloat16, width=64), offsets_of(LENGTHS)
    )
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        flash.attention(q, k, v, offsets, max(LENGTHS))
        torch.cuda.synchronize()
    names = [event.key for event in profiled.key_averages() if "Memcpy" not in event.key]
    assert [name for name in names if "flash_fwd" in name]
    assert not [name for name in names if "fmha" in name or "softmax" in name.lower()]


def features(kind: str, rows: int, width: int) -> Tensor:
    """Random directions, or tokens as alike as an image's are: a smooth field and some noise."""
    generator = torch.Generator().manual_seed(rows)
    if kind == "random":
        return torch.randn(rows, width, generator=generator)
    side = int(rows**0.5) + 1
    coarse = torch.randn(1, width, 8, 8, generator=generator)
    field = functional.interpolate(coarse, size=(side, side), mode="bilinear")
    smooth = field.flatten(2)[0].t()[:rows]
    return smooth + 0.1 * torch.randn(rows, width, generator=generator) + 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("kind", ["random", "smooth"])
@pytest.mark.parametrize("width", [192, 1024])
def test_nearest_neighbors_are_those_of_float64(width: int, kind: str, dtype: torch.dtype) -> None:
    from mpm_deploy.ops.nearest_neighbor.triton import nearest_neighbor

    tokens = torch.cat([features(kind, length, width) for length in LENGTHS]).to(dtype).cuda()
    offsets = offsets_of(LENGTHS).cuda()
    nearest = nearest_neighbor(tokens, offsets, max(LENGTHS), 1)
    assert_nearest(tokens, offsets.tolist(), nearest, special_tokens=1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_an_image_of_16384_tokens_needs_no_matrix(dtype: torch.dtype) -> None:
    from mpm_deploy.ops.nearest_neighbor.triton import nearest_neighbor

    rows, width = 16384, 768
    tokens = features("smooth", rows, width).to(dtype).cuda()
    offsets = offsets_of([rows]).cuda()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    nearest = nearest_neighbor(tokens, offsets, rows, 0)
    added = torch.cuda.max_memory_allocated() - before
    assert added < 3 * rows * width * 4  # O(N d); the matrix would be 1 GB
    assert_nearest(tokens, [0, rows], nearest, special_tokens=0)


def assert_nearest(tokens: Tensor, bounds: list[int], nearest: Tensor, special_tokens: int) -> None:
    """The best in float64 for 99.9 % of rows, and for the others within 1e-5 of it."""
    unlike = rows = 0
    for start, stop in itertools.pairwise(bounds):
        image = functional.normalize(tokens[start + special_tokens : stop].double(), dim=1)
        answers = nearest[start + special_tokens : stop] - start - special_tokens
        if len(image) < 2:
            continue
        for first in range(0, len(image), 2048):
            part = slice(first, first + 2048)
            similarity = image[part] @ image.t()
            own = torch.arange(len(similarity), device=image.device)
            similarity[own, own + first] = -torch.inf
            best, where = similarity.max(dim=1)
            taken = similarity.gather(1, answers[part, None])[:, 0]
            assert (best - taken).max() < 1e-5
            unlike += int((where != answers[part]).sum())
            rows += len(similarity)
    assert unlike <= 1e-3 * rows


def test_a_merge_waits_for_the_device_once() -> None:
    tokens = torch.cat([features("smooth", length, 192) for length in LENGTHS]).cuda()
    offsets = offsets_of(LENGTHS).cuda()
    mutual_pair_merge(tokens, offsets, 1)  # compiles
    from mpm_deploy.models.reductions.mpm import merge_mutual_pairs

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        merge_mutual_pairs(tokens, offsets, max(LENGTHS), 1)
        torch.cuda.synchronize()
    copies = [e for e in profiled.events() if e.name.startswith("Memcpy DtoH")]
    assert len(copies) == 1
