"""Label maps against bilinear upsampling written out in float64, then the first highest class."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.ops.label_map.reference import label_map
from tests.ops.label_map.scores_made import (
    Maker,
    random_scores,
    rounding_bound,
    smooth_scores,
    upsampled,
    varied_scores,
)


def check_labels(labels: Tensor, scores: Tensor, size: tuple[int, int]) -> float:
    """Every label wins its pixel, to float32 accuracy. Returns the share of clear winners."""
    values = upsampled(scores, size)
    assert labels.shape == (len(scores), *size)
    chosen = np.take_along_axis(values, labels.numpy().astype(np.int64)[:, None], axis=1)[:, 0]
    highest = values.max(axis=1)
    slack = 2e-6 * max(scores.shape[-2:]) * float(scores.abs().max())
    assert (chosen >= highest - slack).all()
    winners = (values >= highest[:, None] - slack).sum(axis=1)
    return float((winners == 1).mean())


SIZES = [
    ((32, 32), (512, 512)),
    ((8, 12), (128, 192)),
    ((7, 9), (100, 31)),
    ((32, 32), (37, 701)),
    ((5, 6), (5, 6)),
    ((16, 16), (5, 9)),
    ((1, 1), (16, 16)),
    ((1, 7), (20, 50)),
    ((9, 1), (30, 3)),
    ((2, 2), (1, 1)),
    ((3, 3), (4, 3)),
]


@pytest.mark.parametrize(("coarse", "size"), SIZES, ids=str)
@pytest.mark.parametrize("make", [random_scores, smooth_scores])
def test_every_label_is_a_highest_class(
    make: Maker, coarse: tuple[int, int], size: tuple[int, int]
) -> None:
    scores = make(2, 12, *coarse)
    labels = label_map(scores, size)
    assert labels.dtype == torch.uint8
    assert check_labels(labels, scores, size) > 0.99


@pytest.mark.parametrize("make", [random_scores, smooth_scores])
def test_150_classes(make: Maker) -> None:
    scores = make(1, 150, 16, 16)
    assert check_labels(label_map(scores, (128, 128)), scores, (128, 128)) > 0.99


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("levels", [1, 2, 3, 6])
@pytest.mark.parametrize("coarse", [(1, 1), (2, 3), (8, 8)], ids=str)
def test_ties_go_to_the_lowest_class(coarse: tuple[int, int], levels: int, factor: int) -> None:
    """Small integers at power-of-two factors: upsampled scores are exact, and many are equal."""
    generator = torch.Generator().manual_seed(levels)
    scores = torch.randint(0, levels, (8, 20, *coarse), generator=generator).float()
    size = (factor * coarse[0], factor * coarse[1])
    expected = upsampled(scores, size).argmax(axis=1)
    assert np.array_equal(label_map(scores, size).numpy(), expected)


def test_a_class_wins_between_the_corners_that_others_win() -> None:
    """Class 2 is second at both corners and first halfway."""
    scores = torch.tensor([[8.0, -8.0], [-8.0, 8.0], [5.0, 5.0]]).reshape(1, 3, 1, 2)
    assert label_map(scores, (1, 16)).unique_consecutive().tolist() == [0, 2, 1]


def test_a_class_that_meets_the_winner_at_one_corner_takes_the_tie() -> None:
    scores = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).reshape(1, 2, 1, 2)
    assert label_map(scores, (1, 4)).flatten().tolist() == [0, 1, 1, 1]


def test_one_class_wins_everywhere() -> None:
    assert not label_map(random_scores(2, 1, 4, 4), (9, 9)).any()


def test_very_negative_and_very_large_scores() -> None:
    for shift in (-1e6, 1e6):
        scores = 1e6 * random_scores(1, 10, 6, 6) + shift
        assert check_labels(label_map(scores, (48, 48)), scores, (48, 48)) > 0.99


@pytest.mark.parametrize(("classes", "dtype"), [(256, torch.uint8), (257, torch.int16)])
def test_the_last_class_can_be_named(classes: int, dtype: torch.dtype) -> None:
    scores = random_scores(1, classes, 2, 2)
    scores[:, -1] += 100
    labels = label_map(scores, (8, 8))
    assert labels.dtype == dtype
    assert (labels == classes - 1).all()


def test_an_image_is_labelled_alone_as_in_a_batch() -> None:
    scores = smooth_scores(5, 20, 8, 8)
    together = label_map(scores, (61, 128))
    for image, labels in zip(scores, together, strict=True):
        assert torch.equal(label_map(image[None], (61, 128))[0], labels)


def test_scores_may_lie_patch_by_patch_in_memory() -> None:
    scores = random_scores(2, 20, 8, 8)
    patches = scores.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(label_map(patches, (64, 64)), label_map(scores, (64, 64)))


def test_torch_differs_only_where_rounding_decides() -> None:
    """Our arithmetic order is our own, so torch may round to another winner, but only of equals.

    Where the labels differ, the exact scores of the two classes at that pixel, interpolated in
    float64, are less apart than the roundings of both ways can move them. Both round a pixel's
    position and each step of the interpolation: `rounding_bound` adds that up.
    """
    pixels, differing = 0, 0
    for scores, size in varied_scores():
        labels = label_map(scores, size).long()
        theirs = functional.interpolate(scores, size=size, mode="bilinear").argmax(dim=1)
        exact = torch.from_numpy(upsampled(scores, size))
        apart = exact.gather(1, labels[:, None]) - exact.gather(1, theirs[:, None])
        assert (apart.abs().amax(dim=(1, 2, 3)) <= rounding_bound(scores)).all()
        pixels += labels.numel()
        differing += int((labels != theirs).sum())
    assert differing < pixels / 20  # all of them where classes are made to tie
