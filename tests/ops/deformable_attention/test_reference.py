"""Deformable attention against a reading of the paper, a number at a time."""

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.ops.deformable_attention import deformable_attention
from tests.support.deformable import deformable_attention_by_hand
from tests.support.scripting import script

GRIDS = [(3, 5), (6, 2), (1, 1)]
HEADS, WIDTH, POINTS = 2, 4, 3
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}  # about thirty numbers of size 1 are added


def random_inputs(
    images: int, queries: int, dtype: torch.dtype, grids: list[tuple[int, int]] = GRIDS
) -> tuple[Tensor, Tensor, Tensor]:
    """Values, locations from -0.3 to 1.3, of which many lie outside, and weights."""
    generator = torch.Generator().manual_seed(images)

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    values = random(images, sum(h * w for h, w in grids), HEADS, WIDTH) - 0.5
    locations = random(images, queries, HEADS, len(grids), POINTS, 2) * 1.6 - 0.3
    weights = random(images, queries, HEADS, len(grids), POINTS)
    return values.to(dtype), locations.to(dtype), weights.to(dtype)


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("grids", [GRIDS, [(4, 7)]], ids=str)
@pytest.mark.parametrize("images", [1, 3])
def test_it_is_the_papers(images: int, grids: list[tuple[int, int]], dtype: torch.dtype) -> None:
    values, locations, weights = random_inputs(images, 6, dtype, grids)
    got = deformable_attention(values, grids, locations, weights)
    assert got.dtype == dtype
    expected = deformable_attention_by_hand(values, grids, locations, weights)
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=TOLERANCE[dtype])


def test_the_center_of_a_cell_reads_that_cell_alone() -> None:
    down, across = 3, 5
    values = torch.arange(15.0).reshape(1, 15, 1, 1)
    row, column = torch.tensor([0, 0, 2, 2]), torch.tensor([0, 4, 1, 4])
    centers = torch.stack([(column + 0.5) / across, (row + 0.5) / down], dim=1)  # (Q, 2)
    locations = centers[None, :, None, None, None]  # (1, Q, 1, 1, 1, 2)
    weights = torch.ones(1, 4, 1, 1, 1)
    got = deformable_attention(values, [(down, across)], locations, weights)
    torch.testing.assert_close(got.flatten(), (row * across + column).float())


def test_values_in_bfloat16_are_read_at_places_in_float32() -> None:
    across = 1024  # of which bfloat16 tells half the columns apart at best
    values = torch.arange(across).remainder(7).bfloat16().reshape(1, across, 1, 1)
    centers = (torch.arange(across) + 0.5) / across
    locations = torch.stack([centers, torch.full_like(centers, 0.5)], dim=1)[None, :, None]
    weights = torch.ones(1, across, 1, 1, 1, dtype=torch.bfloat16)
    got = deformable_attention(values, [(1, across)], locations[:, :, :, None, None], weights)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got, values, rtol=0, atol=2**-5)


def test_scripted_it_is_the_same() -> None:
    values, locations, weights = random_inputs(2, 5, torch.float32)
    eager = deformable_attention(values, GRIDS, locations, weights)
    assert torch.equal(script(deformable_attention)(values, GRIDS, locations, weights), eager)


class Attends(nn.Module):
    """Deformable attention over `GRIDS`."""

    def forward(self, values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return deformable_attention(values, GRIDS, locations, weights)


def test_exported_for_any_batch_it_is_the_same() -> None:
    images = torch.export.Dim("images", min=1, max=8)
    given = random_inputs(2, 5, torch.float32)
    exported = torch.export.export(Attends(), given, dynamic_shapes=[{0: images}] * 3)
    for count in (1, 3):
        other = random_inputs(count, 5, torch.float32)
        torch.testing.assert_close(exported.module()(*other), Attends()(*other))
