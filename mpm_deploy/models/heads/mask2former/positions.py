"""Tell cells of a grid apart by sines and cosines of their row and their column."""

import math

import torch
from torch import Tensor


def sine_positions(grid: tuple[int, int], width: int, device: torch.device) -> Tensor:
    """Return the position of each cell: half of the channels are its row's, half its column's.

    Args:
        grid: Cells, ``(down, across)``.
        width: Width C of a position, a multiple of four.
        device: Where the positions are made.

    Returns:
        ``(h w, C)`` float32, row by row.
    """
    down, across = grid
    of_rows = _waves(down, width // 2, device)[:, None].expand(-1, across, -1)  # (h, w, C / 2)
    of_columns = _waves(across, width // 2, device)[None].expand(down, -1, -1)
    return torch.cat([of_rows, of_columns], dim=2).flatten(0, 1)


def _waves(count: int, width: int, device: torch.device) -> Tensor:
    """Return ``(count, width)``: sines and cosines, each pair of channels slower than the last.

    The first goes round once over the grid, the last almost 10,000 times slower.
    """
    pair = torch.arange(width // 2, device=device, dtype=torch.float32)  # (width / 2,)
    place = torch.arange(1, count + 1, device=device, dtype=torch.float32)  # (count,)
    turn = place / (count + 1e-6) * (2 * math.pi)
    angles = turn[:, None] / 10000.0 ** (2 * pair / width)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
