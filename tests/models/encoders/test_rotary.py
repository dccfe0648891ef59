"""Rotary positions against complex numbers, one pair of channels at a time."""

import cmath
import math

import pytest
import torch

from mpm_deploy.models.encoders.rotary import Rotary, rotate
from mpm_deploy.models.packing import equal_offsets, patch_rows
from mpm_deploy.models.reductions import Packed

GRID, HEAD_WIDTH, BASE, SPECIAL = (2, 3), 8, 100.0, 2
PATCHES = GRID[0] * GRID[1]
CPU = torch.device("cpu")


def unmerged(images: int) -> Packed:
    length = SPECIAL + PATCHES
    return Packed(
        torch.zeros(images * length, 4),
        equal_offsets(images, length, CPU),
        length,
        patch_rows(images, PATCHES, SPECIAL, CPU),
        SPECIAL,
    )


def angles_at(row: float, column: float) -> list[float]:
    """Of each pair of channels: the axes one after the other, the fast pairs of each first."""
    places = (2 * (row + 0.5) / GRID[0] - 1, 2 * (column + 0.5) / GRID[1] - 1)
    quarter = HEAD_WIDTH // 4
    return [2 * math.pi * place / BASE ** (k / quarter) for place in places for k in range(quarter)]


def turned(values: list[float], angles: list[float]) -> list[float]:
    half = HEAD_WIDTH // 2
    pairs = [complex(values[i], values[i + half]) * cmath.rect(1, angles[i]) for i in range(half)]
    return [pair.real for pair in pairs] + [pair.imag for pair in pairs]


def rotation_of(packed: Packed) -> tuple[torch.Tensor, torch.Tensor]:
    return Rotary(GRID, HEAD_WIDTH, BASE)(packed)


def test_a_patch_is_turned_by_its_place_and_a_special_token_not_at_all() -> None:
    packed = unmerged(images=2)
    values = torch.randn(packed.tokens.shape[0], 1, HEAD_WIDTH)
    got = rotate(values, *rotation_of(packed))
    for image in range(2):
        first = image * (SPECIAL + PATCHES)
        assert torch.equal(got[first : first + SPECIAL], values[first : first + SPECIAL])
        for patch in range(PATCHES):
            row = first + SPECIAL + patch
            angles = angles_at(*divmod(patch, GRID[1]))
            expected = torch.tensor(turned(values[row, 0].tolist(), angles))
            torch.testing.assert_close(got[row, 0], expected, atol=1e-5, rtol=0)


def test_a_merged_token_stands_at_the_mean_of_its_patches() -> None:
    # Of the first image patches 0, 1 and 5 are one token; the second has merged nothing.
    rows = torch.tensor([[2, 2, 3, 4, 5, 2], [8, 9, 10, 11, 12, 13]])
    packed = Packed(torch.zeros(14, 4), torch.tensor([0, 6, 14], dtype=torch.int32), 8, rows, 2)
    cosines, sines = rotation_of(packed)
    expected = torch.tensor(angles_at((0 + 0 + 1) / 3, (0 + 1 + 2) / 3))
    torch.testing.assert_close(cosines[2], expected.cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(sines[2], expected.sin(), atol=1e-5, rtol=0)
    alone, _ = rotation_of(unmerged(images=1))
    assert torch.equal(cosines[6:], alone)


def test_a_rotation_keeps_lengths_and_the_type_of_its_rows() -> None:
    rows = torch.randn(SPECIAL + PATCHES, 3, HEAD_WIDTH, dtype=torch.bfloat16)
    got = rotate(rows, *rotation_of(unmerged(images=1)))
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float().norm(dim=2), rows.float().norm(dim=2), rtol=1e-2, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_positions_do_not_lose_precision_with_the_model(dtype: torch.dtype) -> None:
    rotary = Rotary(GRID, HEAD_WIDTH, BASE).to(dtype)
    assert torch.equal(rotary(unmerged(images=1))[0], rotation_of(unmerged(images=1))[0])
