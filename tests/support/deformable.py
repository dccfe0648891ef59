"""Deformable attention read from the paper, a number at a time."""

import math

import torch
from torch import Tensor


def deformable_attention_by_hand(
    values: Tensor, grids: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """What `ops.deformable_attention` gets, and ``(B, Q, heads, D)`` float64."""
    images, queries, heads, levels, points, _ = locations.shape
    result = torch.zeros(images, queries, heads, values.shape[3], dtype=torch.float64)
    for image in range(images):
        for head in range(heads):
            flat = values[image, :, head].double()
            maps = [
                cells.reshape(*grid, -1)
                for cells, grid in zip(flat.split([h * w for h, w in grids]), grids, strict=True)
            ]
            for query in range(queries):
                for level in range(levels):
                    for point in range(points):
                        at = (image, query, head, level, point)
                        x, y = locations[at].tolist()
                        result[image, query, head] += weights[at].double() * read(maps[level], x, y)
    return result


def read(cells: Tensor, x: float, y: float) -> Tensor:
    """``(h, w, D)`` at a place from 0 to 1: ``(D,)``."""
    down, across, width = cells.shape
    column, row = x * across - 0.5, y * down - 0.5  # the first cell's center is 0
    total = cells.new_zeros(width)
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            if 0 <= i < down and 0 <= j < across:
                total += (1 - abs(row - i)) * (1 - abs(column - j)) * cells[i, j]
    return total
