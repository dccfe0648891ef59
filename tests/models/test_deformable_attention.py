"""The layer of deformable attention against a reading of ViT-Adapter's, a query at a time."""

import pytest
import torch
from torch import Tensor

from mpm_deploy.models.deformable_attention import DeformableAttention, cell_centers
from tests.support.deformable import deformable_attention_by_hand
from tests.support.scripting import script

WIDTH, HEADS, POINTS = 16, 4, 2
COARSE, FINE = [(2, 3)], [(4, 6), (2, 3), (1, 2)]
CPU = torch.device("cpu")


def random_layer(levels: int, value_ratio: float) -> DeformableAttention:
    layer = DeformableAttention(WIDTH, HEADS, levels, POINTS, value_ratio).double().eval()
    generator = torch.Generator().manual_seed(levels)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return layer


def random_rows(images: int, rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(rows)
    return torch.randn(images, rows, WIDTH, generator=generator, dtype=torch.float64)


def by_hand(
    layer: DeformableAttention,
    queries: Tensor,
    reference_points: Tensor,
    cells: Tensor,
    grids: list[tuple[int, int]],
) -> Tensor:
    """What the layer gets, with every point's place found by itself."""
    images, rows, levels = queries.shape[0], queries.shape[1], len(grids)
    offsets = layer.sampling_offsets(queries).view(images, rows, HEADS, levels, POINTS, 2)
    logits = layer.attention_weights(queries).view(images, rows, HEADS, levels * POINTS)
    weights = logits.softmax(dim=-1).view(images, rows, HEADS, levels, POINTS)
    locations = torch.empty_like(offsets)
    for query in range(rows):
        for level, (down, across) in enumerate(grids):
            x, y = reference_points[query].tolist()
            locations[:, query, :, level, :, 0] = x + offsets[:, query, :, level, :, 0] / across
            locations[:, query, :, level, :, 1] = y + offsets[:, query, :, level, :, 1] / down
    values = layer.value_proj(cells).unflatten(2, (HEADS, -1))
    read = deformable_attention_by_hand(values, grids, locations, weights)
    return layer.output_proj(read.flatten(2))


@torch.inference_mode()
@pytest.mark.parametrize("value_ratio", [0.5, 1.0])
@pytest.mark.parametrize("of, to", [(COARSE, FINE), (FINE, COARSE), (FINE, FINE)], ids=str)
def test_queries_of_one_pyramid_read_another(
    of: list[tuple[int, int]], to: list[tuple[int, int]], value_ratio: float
) -> None:
    layer = random_layer(len(to), value_ratio)
    points = cell_centers(of, CPU).double()
    queries = random_rows(2, sum(h * w for h, w in of))
    cells = random_rows(2, sum(h * w for h, w in to))
    got = layer(queries, points, cells, to)
    torch.testing.assert_close(got, by_hand(layer, queries, points, cells, to), rtol=0, atol=1e-12)


def test_values_are_as_wide_as_their_share() -> None:
    assert random_layer(1, 0.5).value_proj.weight.shape == (WIDTH // 2, WIDTH)
    assert random_layer(1, 1.0).output_proj.weight.shape == (WIDTH, WIDTH)


def test_cells_lie_row_by_row_and_grid_after_grid() -> None:
    centers = cell_centers([(1, 2), (2, 1)], CPU)
    assert centers.tolist() == [[0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]]


@torch.inference_mode()
def test_in_bfloat16_places_stay_exact() -> None:
    """Where offsets are zero, each cell of a wide grid reads itself."""
    grid = [(1, 1024)]
    layer = DeformableAttention(WIDTH, HEADS, 1, POINTS).bfloat16().eval()
    for linear in (layer.sampling_offsets, layer.attention_weights):
        linear.weight.zero_()
        linear.bias.zero_()
    for linear in (layer.value_proj, layer.output_proj):
        linear.weight.copy_(torch.eye(WIDTH))
        linear.bias.zero_()
    cells = random_rows(1, 1024).bfloat16()
    got = layer(cells, cell_centers(grid, CPU), cells, grid)
    torch.testing.assert_close(got, cells, rtol=2**-7, atol=2**-7)


def test_it_computes_with_no_tensor_but_its_weights() -> None:
    """A tensor made of a list would be copied to a GPU at every call."""
    layer = random_layer(len(FINE), 0.5).float()
    given = (random_rows(1, 6).float(), cell_centers(COARSE, CPU), random_rows(1, 32).float(), FINE)
    exported = torch.export.export(layer, given)
    assert not exported.constants
    assert exported.graph_signature.buffers == ()


@torch.inference_mode()
def test_scripted_it_is_the_same() -> None:
    layer = random_layer(len(FINE), 0.5).float()
    points, queries = cell_centers(COARSE, CPU), random_rows(2, 6).float()
    cells = random_rows(2, 24 + 6 + 2).float()
    given = (queries, points, cells, FINE)
    torch.testing.assert_close(script(layer)(*given), layer(*given), rtol=0, atol=1e-6)
    assert torch.equal(script(cell_centers)(FINE, CPU), cell_centers(FINE, CPU))
