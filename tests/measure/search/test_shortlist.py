"""What is worth a build: nothing that another surely beats, and one of each step of FLOPs."""

from mpm_deploy.measure.search.shortlist import shortlist
from mpm_deploy.measure.search.sweep import Sight
from mpm_deploy.recipe import MergeRecipe


def sight(block: int, gflops: float, *agreements: float) -> Sight:
    return Sight(f"mpm [{block}]", MergeRecipe("mpm", (block,)), gflops, agreements)


def test_what_surely_agrees_less_at_more_flops_is_skipped() -> None:
    few = sight(0, 10, 0.96, 0.90, 0.95)
    less = sight(1, 12, 0.95, 0.89, 0.935)
    more = sight(2, 14, 0.97, 0.91, 0.97)
    reasons = [one.skipped for one in shortlist([few, less, more], 10)]
    assert reasons == [None, "mpm [0] has fewer FLOPs, and agrees by 1.17 more", None]


def test_a_difference_within_its_noise_beats_nothing() -> None:
    few, noisy = sight(0, 10, 0.96, 0.90, 0.95), sight(1, 12, 0.93, 0.91, 0.95)
    assert few.agreement > noisy.agreement
    assert [one.skipped for one in shortlist([few, noisy], 10)] == [None, None]


def test_of_one_image_nothing_is_sure() -> None:
    sights = [sight(0, 10, 0.96), sight(1, 12, 0.5)]
    assert [one.skipped for one in shortlist(sights, 10)] == [None, None]


def test_each_step_of_flops_keeps_what_agrees_most() -> None:
    sights = [sight(block, 10 * 1.1**block, 0.9 + block / 1000) for block in range(9)]
    found = shortlist(sights, 3)
    assert [one.name for one in found if one.skipped is None] == ["mpm [2]", "mpm [5]", "mpm [8]"]
    assert found[0].skipped == "mpm [2] agrees more, in the same step of FLOPs"


def test_equal_ones_leave_one_and_none_leaves_none() -> None:
    same = [sight(block, 10, 0.9, 0.9) for block in range(3)]
    assert [one.skipped is None for one in shortlist(same, 10)] == [True, False, False]
    assert shortlist([], 10) == []
