"""Find nearest neighbors on a GPU, in one pass over the columns that stores no matrix.

A program has some rows of one image, and goes through the image's rows block by block::

                      columns ─▶
            ┌────────┬────────┬────────┬─ ─
    rows    │ scores │ scores │   ...     keeps of each row the best score and its column
            └────────┴────────┴────────┴─ ─

Memory beside the tokens is a number for each row. Bfloat16 and float16 rows are multiplied as they
are and added up in float32: their products are exact there, so that nothing is lost. Float32 rows
are multiplied as three products of their TF32 parts.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.library import triton_op, wrap_triton


@triton.jit
def _search(
    tokens,  # (T, C)
    inverse_norms,  # (T,) float32
    offsets,  # (B + 1,) int32
    nearest,  # (T,) int64
    width,
    special_tokens,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    image = tl.program_id(1)
    begin = tl.load(offsets + image) + special_tokens
    end = tl.load(offsets + image + 1)
    rows = begin + tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    if begin + tl.program_id(0) * ROWS < end:
        channels = tl.arange(0, CHANNELS)
        row_norms = tl.load(inverse_norms + rows, mask=rows < end, other=0.0)
        best = tl.full([ROWS], -float("inf"), tl.float32)
        found = rows
        for first in range(begin, end, COLUMNS):
            columns = first + tl.arange(0, COLUMNS)
            products = tl.zeros([ROWS, COLUMNS], tl.float32)
            for channel in range(0, width, CHANNELS):
                inside = channel + channels < width
                left = tl.load(
                    tokens + rows[:, None].to(tl.int64) * width + channel + channels[None],
                    mask=(rows < end)[:, None] & inside[None],
                    other=0.0,
                )
                right = tl.load(
                    tokens + columns[None].to(tl.int64) * width + channel + channels[:, None],
                    mask=(columns < end)[None] & inside[:, None],
                    other=0.0,
                )
                products = tl.dot(left, right, products, input_precision=PRECISION)
            column_norms = tl.load(inverse_norms + columns, mask=columns < end, other=0.0)
            # Equal rows are equally similar: every product is added up in the same order.
            similarity = products * (row_norms[:, None] * column_norms[None])
            others = (columns < end)[None] & (columns[None] != rows[:, None])
            similarity = tl.where(others, similarity, -float("inf"))
            block_best = tl.max(similarity, axis=1)
            # The lowest column of those that are equal; none where all is not-a-number.
            candidates = tl.where(similarity == block_best[:, None], columns[None], end)
            block_found = tl.min(candidates, axis=1)
            better = block_best > best
            found = tl.where(better, block_found, found)
            best = tl.where(better, block_best, best)
        tl.store(nearest + rows, found.to(tl.int64), mask=rows < end)


@dataclass(frozen=True)
class Tile:
    """The part of the tokens that a Triton program works on at a time.

    Attributes:
        rows: Rows of the program's own.
        columns: Other rows of a block.
        channels: Channels of one matrix instruction's operands.
        warps: Warps that share the work.
        precision: Precision of a product, as Triton calls it.
    """

    rows: int
    columns: int
    channels: int
    warps: int
    precision: str


def tile_for(dtype: torch.dtype) -> Tile:
    """Return the tile that fits into the registers of a program for tokens of this type."""
    if dtype == torch.float32:
        return Tile(rows=64, columns=64, channels=32, warps=4, precision="tf32x3")
    return Tile(rows=128, columns=128, channels=64, warps=8, precision="ieee")


@triton_op("mpm::nearest_neighbor", mutates_args={})
def _operator(
    tokens: Tensor, inverse_norms: Tensor, offsets: Tensor, max_length: int, special_tokens: int
) -> Tensor:
    nearest = torch.arange(tokens.shape[0], device=tokens.device)  # special rows keep their own
    tile = tile_for(tokens.dtype)
    blocks = triton.cdiv(max_length - special_tokens, tile.rows)
    wrap_triton(_search)[(blocks, offsets.shape[0] - 1)](
        tokens,
        inverse_norms,
        offsets,
        nearest,
        tokens.shape[1],
        special_tokens,
        PRECISION=tile.precision,
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        CHANNELS=tile.channels,
        num_warps=tile.warps,
    )
    return nearest


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Find nearest neighbors; arguments and result are those of `reference.nearest_neighbor`.

    Where the two best are closer than rounding, it may name the other one. A row that is not a
    number answers with itself or another row of its image.
    """
    if tokens.dtype == torch.float64:
        tokens = tokens.float()
    inverse_norms = tokens.float().norm(dim=1).clamp(min=1e-12).reciprocal()  # (T,)
    answer: Tensor = _operator(
        tokens.contiguous(), inverse_norms, offsets, max_length, special_tokens
    )
    return answer
