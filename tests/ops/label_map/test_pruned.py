"""Survivors in plain torch and in C++ against the plain label map, to the bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mpm_deploy.ops.label_map import native, pruned
from mpm_deploy.ops.label_map.reference import label_map
from tests.ops.label_map.scores_made import (
    KINDS,
    Maker,
    model_scores,
    random_scores,
    smooth_scores,
    varied_scores,
)
from tests.ops.label_map.test_native import require_native
from tests.support.scripting import script

LabelMap = Callable[[Tensor, tuple[int, int]], Tensor]


@pytest.fixture(params=["survivors", "native"])
def version(request: pytest.FixtureRequest) -> LabelMap:
    if request.param == "native":
        require_native()
        return native.label_map
    return pruned.label_map


def check(version: LabelMap, scores: Tensor, size: tuple[int, int]) -> None:
    expected = label_map(scores, size)
    labels = version(scores, size)
    assert labels.dtype == expected.dtype
    assert torch.equal(labels, expected), f"{tuple(scores.shape)} to {size}"


def test_equal_to_plain_on_varied_scores(version: LabelMap) -> None:
    count = 0
    for scores, size in varied_scores():
        check(version, scores, size)
        count += 1
    assert count >= 500


@pytest.mark.parametrize("make", [random_scores, model_scores])
def test_equal_to_plain_at_full_size(version: LabelMap, make: Maker) -> None:
    check(version, make(1, 150, 32, 32), (512, 512))


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (64, 64), (97, 33), (200, 5)], ids=str)
def test_a_grid_that_is_finer_than_the_label_map(
    version: LabelMap, make: Maker, size: tuple[int, int]
) -> None:
    check(version, make(1, 19, 64, 80), size)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_class_that_is_lower_by_a_rounding_may_tie(version: LabelMap, step: int) -> None:
    """Class 0 is below class 1 at every corner, by float32 steps that interpolation can lose."""
    generator = torch.Generator().manual_seed(step)
    upper = 1 + torch.rand(400, 1, 1, 1, generator=generator).expand(400, 1, 3, 3)
    lower = upper - step * 2.0**-23
    scores = torch.cat([lower, upper], dim=1)
    labels = label_map(scores, (31, 29))
    if step == 1:
        assert (labels == 0).any()  # it does tie, and then the lowest class is to win
    assert torch.equal(version(scores, (31, 29)), labels)


def test_denormal_scores_one_step_apart_may_tie(version: LabelMap) -> None:
    """There a rounding is not small beside a score: halfway, 3 steps become 2 + 2, as 4 do."""
    step = 2.0**-149
    upper = step * torch.arange(1.0, 10.0).reshape(9, 1, 1, 1).expand(9, 1, 4, 4)
    scores = torch.cat([upper - step, upper], dim=1)
    labels = label_map(scores, (2, 2))
    assert (labels == 0).any()
    assert torch.equal(version(scores, (2, 2)), labels)


@pytest.mark.parametrize("classes", [256, 257])
def test_labels_widen_past_a_byte(version: LabelMap, classes: int) -> None:
    check(version, random_scores(2, classes, 4, 5), (33, 20))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_no_numbers_do_no_harm(version: LabelMap, value: float) -> None:
    scores = random_scores(1, 20, 6, 6)
    scores[:, 3, 2, 2] = value
    scores[:, :, 5, 5] = value
    for size in ((50, 50), (3, 2)):
        assert version(scores, size).max() < 20


def test_scores_may_lie_patch_by_patch_in_memory(version: LabelMap) -> None:
    scores = random_scores(2, 20, 8, 8)
    check(version, scores.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), (64, 64))


def test_scripted_survivors_are_the_same() -> None:
    scripted = script(pruned.label_map)
    for shape, size in [((2, 12, 8, 12), (128, 192)), ((1, 300, 7, 9), (100, 31))]:
        check(scripted, smooth_scores(*shape), size)


def test_few_classes_survive_on_scores_like_a_models() -> None:
    """Otherwise the labels would be right and nothing gained."""
    scores = model_scores(1, 150, 32, 32)[0]
    left, right = torch.arange(31), torch.arange(1, 32)
    assert len(pruned._survivors(scores[:, :-1], scores[:, 1:], left, right)) < 50
