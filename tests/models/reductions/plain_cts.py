"""CTS as its authors' program does it, read loop by loop: one image, one patch at a time.

float64 and plain lists of rows; nothing here knows about batches, offsets or maps. Special tokens
are not among the tokens here.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]  # (n, C)


def best_superpatches(scores: list[float], shared: int) -> list[int]:
    """The numbers of the best superpatches, of equals the first, in the order of the grid."""
    by_score = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
    return sorted(by_score[:shared])


def cells(superpatch: int, across: int) -> list[int]:
    """The four patches of a superpatch, in a grid that is ``across`` patches wide."""
    row, column = divmod(superpatch, across // 2)
    first = 2 * row * across + 2 * column
    return [first, first + 1, first + across, first + across + 1]


def assembled(
    pixels: NDArray[np.float64],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
    position: Rows,
    best: list[int],
) -> Rows:
    """The tokens that the first block is given: unshared patches, then shared superpatches.

    Args:
        pixels: ``(3, H, W)``, normalized.
        kernel: ``(C, 3, P, P)``.
        bias: ``(C,)``.
        position: ``(N, C)``.
        best: Superpatches that are shared.
    """
    side = kernel.shape[-1]
    down, across = pixels.shape[1] // side, pixels.shape[2] // side
    gone = {cell for superpatch in best for cell in cells(superpatch, across)}
    tokens = []
    for patch in range(down * across):
        if patch not in gone:
            row, column = divmod(patch, across)
            seen = pixels[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
            tokens.append(np.tensordot(kernel, seen, 3) + bias + position[patch])
    half = halved(pixels)
    for superpatch in best:
        row, column = divmod(superpatch, across // 2)
        seen = half[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
        place = np.mean([position[cell] for cell in cells(superpatch, across)], axis=0)
        tokens.append(np.tensordot(kernel, seen, 3) + bias + place)
    return np.array(tokens)


def halved(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(C, H, W)`` at half its size, bilinearly: a new pixel lies amid four."""
    channels, height, width = pixels.shape
    half = np.zeros((channels, height // 2, width // 2))
    for row in range(height // 2):
        for column in range(width // 2):
            four = pixels[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            half[:, row, column] = four.sum(axis=(1, 2)) / 4
    return half


def expanded(scores: Rows, best: list[int], grid: tuple[int, int]) -> Rows:
    """The scores of every patch: a shared superpatch's are copied to its four."""
    down, across = grid
    gone = {cell for superpatch in best for cell in cells(superpatch, across)}
    patches: Rows = np.full((down * across, scores.shape[1]), np.nan)
    alone = [patch for patch in range(down * across) if patch not in gone]
    for token, patch in enumerate(alone):
        patches[patch] = scores[token]
    for token, superpatch in enumerate(best):
        for cell in cells(superpatch, across):
            patches[cell] = scores[len(alone) + token]
    return patches
