"""Blend by a sum of nine shifted grids, of which a compiler makes one loop.

The channels stay where they are. A convolution is a call, with a copy to another layout before and
after.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.ops.blending.reference import laid_out


def blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Blend; arguments and result are those of `reference.blend`."""
    places = laid_out(cells)
    down, across = places.shape[1], places.shape[2]
    framed = functional.pad(places, [0, 0, 1, 1, 1, 1])  # (B, 2 h + 2, 2 w + 2, C)
    blended = torch.zeros_like(places)
    for row in range(3):
        for column in range(3):
            shifted = framed[:, row : row + down, column : column + across]
            blended = blended + shifted * weight[:, 0, row, column]
    return blended
