"""Counts boundary pixels and computes the boundary F-score: how well do two outlines agree?

    . . . . . .        . . . . . .       a boundary pixel of # has a neighbor, above, below, left
    . # # # # .        . o o o o .       or right of it, that is not #
    . # # # # .  ───▶  . o . . o .
    . # # # # .        . o o o o .       it is matched where the other map has a boundary pixel of #
    . . . . . .        . . . . . .       within the tolerance

The tolerance is 0.75 % of the image's diagonal, as in Csurka, Larlus, Perronnin: "What is a good
evaluation measure for semantic segmentation?", BMVC 2013; matching by dilation with a disk is that
of the DAVIS benchmark (Perazzi et al., CVPR 2016). Both of these take the mean over images. Counts
here are summed over the data set, as confusion counts are, so that an evaluation in pieces gives
what one in a single run gives.

Counts are ``(K, 4)`` int64, by class: predicted boundary pixels that are matched, all predicted
ones, true ones that are matched, all true ones.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.datasets.confusion import PerClass

Labels = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
BoundaryCounts = NDArray[np.int64]
Outlines = NDArray[np.int16]  # (height, width): the class of a boundary pixel, elsewhere _NONE

TOLERANCE = 0.0075  # of the diagonal
_NONE = -1
# Each pixel but the first of a row or column, and the one before it.
_NEIGHBORS = (
    (np.s_[:, 1:], np.s_[:, :-1]),
    (np.s_[1:], np.s_[:-1]),
)


def no_boundaries(classes: int) -> BoundaryCounts:
    """Return the counts of no image: zeros ``(K, 4)``."""
    return np.zeros((classes, 4), np.int64)


def boundary_counts(
    truth: Labels, predicted: Labels, classes: int, ignored: int = 255
) -> BoundaryCounts:
    """Count the boundary pixels of one image, and those that the other map matches.

    Args:
        truth: ``(height, width)``, classes from 0 up to ``classes``, or ``ignored``.
        predicted: ``(height, width)``, classes from 0 up to ``classes``.
        classes: The number of classes.
        ignored: Marks pixels that are on no boundary, nor are their four neighbors, in either map.
    """
    counted, radius = truth != ignored, tolerance(truth.shape)
    true, found = outlines(truth, counted), outlines(predicted, counted)
    pairs = ((found, true), (true, found))
    columns = [count for pair in pairs for count in _matched_and_all(*pair, radius, classes)]
    return np.stack(columns, axis=1)


def boundary_f_score(counts: BoundaryCounts) -> PerClass:
    """Return the harmonic mean of precision and recall of each class's boundary ``(K,)``.

    0 for a class without any match; NaN for one that has no boundary in either map.
    """
    matched_found, found, matched_true, true = counts.T.astype(float)
    precision = matched_found / np.maximum(found, 1)
    recall = matched_true / np.maximum(true, 1)
    scores = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return np.where(found + true > 0, scores, np.nan)


def tolerance(size: tuple[int, ...]) -> int:
    """Return by how many pixels a boundary may be off, for an image of that height and width."""
    return max(1, round(TOLERANCE * math.hypot(*size)))


def outlines(labels: Labels, counted: Bools) -> Outlines:
    """Return the class of each boundary pixel, -1 elsewhere.

    Args:
        labels: ``(height, width)`` class indices.
        counted: ``(height, width)``; a pixel that is not, or beside one that is not, is on no
            boundary.
    """
    on_boundary, usable = np.zeros(labels.shape, bool), counted.copy()
    for one, other in _NEIGHBORS:
        differ = labels[one] != labels[other]
        on_boundary[one] |= differ
        on_boundary[other] |= differ
        usable[one] &= counted[other]
        usable[other] &= counted[one]
    return np.where(on_boundary & usable, labels.astype(np.int16), _NONE)


def near_boundary(labels: Labels, counted: Bools) -> Bools:
    """Return ``(height, width)`` bool: the pixels within the tolerance of any boundary pixel."""
    radius = tolerance(labels.shape)
    on_boundary = outlines(labels, counted) != _NONE
    height, width = labels.shape
    near = np.zeros((height + 2 * radius, width + 2 * radius), bool)
    for row, column in _disk(radius) + radius:
        near[row : row + height, column : column + width] |= on_boundary
    return near[radius : radius + height, radius : radius + width]


def _matched_and_all(
    outline: Outlines, other: Outlines, radius: int, classes: int
) -> tuple[BoundaryCounts, BoundaryCounts]:
    """Count boundary pixels by class ``(K,)``: those with one of their class near in the other map,
    and all of them.
    """
    padded = np.pad(other, radius, constant_values=_NONE)
    width = padded.shape[1]
    rows, columns = np.nonzero(outline != _NONE)
    wanted = outline[rows, columns]  # (boundary pixels,): their classes
    total = np.bincount(wanted, minlength=classes)
    there = padded.ravel()
    places = (rows + radius) * width + columns + radius  # of the same pixels in `there`
    for row, column in _disk(radius):  # most are matched within the first few steps
        missed = there[places + (row * width + column)] != wanted
        places, wanted = places[missed], wanted[missed]
    return total - np.bincount(wanted, minlength=classes), total


@cache
def _disk(radius: int) -> NDArray[np.int64]:
    """Return the steps ``(steps, 2)`` of rows and columns no longer than the radius,
    shortest first.
    """
    along = np.arange(-radius, radius + 1)
    steps = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
    lengths = (steps**2).sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    return steps[order[: np.count_nonzero(lengths <= radius**2)]]
