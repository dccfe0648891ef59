"""Draws merge maps: which patches became one token, and how far apart they lay."""

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.errors import InputError

Image = NDArray[np.uint8]
MergeMap = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Padding = tuple[tuple[float, float], tuple[float, float]]  # before and after: down, and across

_GOLDEN = 0.618033988749895  # steps of it around the color circle keep successive hues far apart
_ROUNDING = 1e-9  # patches; a border that lies on a pixel is not to fall before it
_STRENGTH = 0.62  # of a cluster's color over the image


def merge_picture(
    image: Image,
    merge_map: MergeMap,
    grid: tuple[int, int],
    padding: Padding = ((0.0, 0.0), (0.0, 0.0)),
) -> Image:
    """Color the patches that share a token, and leave those that have one of their own plain.

    Args:
        image: ``(height, width, 3)`` uint8, of any size.
        merge_map: ``(patches,)``: the token of each patch, row by row.
        grid: Rows and columns of patches.
        padding: How many patches the grid reaches beyond the image, above and below, to the left
            and to the right of it.

    Returns:
        ``(height, width, 3)`` uint8; white lines run where a cluster begins.

    Raises:
        InputError: The merge map has another number of patches than the grid.
    """
    _check_grid(merge_map, grid)
    height, width = image.shape[:2]
    rows, columns = (
        _patches_of(*along) for along in zip((height, width), grid, padding, strict=True)
    )
    tokens = merge_map.reshape(grid)[rows][:, columns]  # (height, width)
    merged = (np.bincount(merge_map) > 1)[tokens][..., None]
    colors = _token_colors(int(merge_map.max()) + 1)[tokens]  # (height, width, 3)
    mixed = np.where(merged, (1 - _STRENGTH) * image + _STRENGTH * colors, image)
    edges = _edges(tokens, thickness=max(1, width // 512))[..., None] & merged
    picture: Image = np.where(edges, 255, mixed).astype(np.uint8)
    return picture


def merge_distances(merge_maps: MergeMap, grid: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Measure how far apart the tokens lay that a merge made one, which tells local merges from
    global ones.

    A token lies at the mean of its patches. Where a merge makes one token of more than two, each
    pair among them counts.

    Args:
        merge_maps: ``(merges, patches)``, as `Result` has them.
        grid: Rows and columns of patches.

    Returns:
        For each merge the distances ``(pairs,)``, in patches.

    Raises:
        InputError: The merge maps have another number of patches than the grid.
    """
    _check_grid(merge_maps[:1].ravel() if len(merge_maps) else np.arange(grid[0] * grid[1]), grid)
    places = np.indices(grid).reshape(2, -1).T.astype(float)  # (patches, 2)
    before = np.arange(len(places))
    distances = []
    for after in merge_maps:
        distances.append(_pair_distances(before, after, places))
        before = after
    return distances


def _patches_of(pixels: int, patches: int, padding: tuple[float, float]) -> NDArray[np.int64]:
    """Return the patch that each pixel along an axis begins in, ``(pixels,)``.

    ┆0000·····┆·········┆·····0000┆    the image begins and ends inside a patch
    """
    before, after = padding
    begins = before + np.arange(pixels) * ((patches - before - after) / pixels)
    return np.minimum((begins + _ROUNDING).astype(np.int64), patches - 1)


def _pair_distances(before: MergeMap, after: MergeMap, places: NDArray[np.float64]) -> Any:
    """Return the distances between tokens of ``before`` that are one token of ``after``; both are
    merge maps ``(patches,)``.
    """
    sizes = np.bincount(before)
    centers = np.stack([np.bincount(before, along) / sizes for along in places.T], axis=1)
    first_patch = np.unique(before, return_index=True)[1]
    owner = after[first_patch]  # (tokens before,): the token that each of them went to
    together = np.bincount(owner)[owner]  # how many went there
    distances = [np.empty(0)]
    for count in np.unique(together[together > 1]):
        members = np.flatnonzero(together == count)
        groups = members[np.argsort(owner[members], kind="stable")].reshape(-1, count)
        one, other = np.triu_indices(count, k=1)
        apart = centers[groups[:, one]] - centers[groups[:, other]]  # (groups, pairs, 2)
        distances.append(np.hypot(apart[..., 0], apart[..., 1]).ravel())
    return np.concatenate(distances)


def _token_colors(tokens: int) -> Image:
    """Return a color for each token ``(tokens, 3)``: neighbors in number are far apart in hue."""
    shades = (
        (0.75, 0.95),
        (0.55, 1.0),
        (0.9, 0.75),
    )  # saturation, value: more than hue alone tells
    colors = [
        colorsys.hsv_to_rgb(token * _GOLDEN % 1, *shades[token % len(shades)])
        for token in range(tokens)
    ]
    return (np.asarray(colors) * 255).astype(np.uint8)


def _edges(tokens: MergeMap, thickness: int) -> Bools:
    """Mark the pixels whose neighbor ``thickness`` to the left or above belongs to
    another token.
    """
    edges = np.zeros(tokens.shape, dtype=bool)
    edges[:, thickness:] |= tokens[:, thickness:] != tokens[:, :-thickness]
    edges[thickness:] |= tokens[thickness:] != tokens[:-thickness]
    return edges


def _check_grid(merge_map: MergeMap, grid: tuple[int, int]) -> None:
    if merge_map.shape != (grid[0] * grid[1],):
        raise InputError(
            f"merge map: expected one token for each of {grid[0]} × {grid[1]} patches, "
            f"got {merge_map.shape}",
            "the grid is the input's height and width over the patch size, rounded up",
        )
