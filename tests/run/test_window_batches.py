"""Windows of images, cut into batches and gathered again."""

from pathlib import Path

import pytest
import torch

from mpm_deploy.errors import ImageError
from mpm_deploy.images.windows import lay_windows
from mpm_deploy.run.pipeline import in_batches
from mpm_deploy.run.results import PreparedImage, Skipped
from mpm_deploy.run.window_batches import CompleteImage, ScoredBatch, Window, gather, windows_of

PATCHES = 4


def image(name: str, windows: int) -> PreparedImage:
    grid = lay_windows((2, 2 * windows), (2, 2), 2)
    pixels = tuple(torch.full((3, 2, 2), index, dtype=torch.uint8) for index in range(windows))
    return PreparedImage(
        Path(name), pixels, grid if windows > 1 else None, (2, 2 * windows), 1.0, 2.0
    )


def score(items: list[Window | Skipped]) -> ScoredBatch:
    """Scores that say which window they are of; each window takes 3 ms to copy and 5 to score."""
    windows = [item for item in items if isinstance(item, Window)]
    if not windows:
        return ScoredBatch(items)
    scores = torch.tensor([[float(window.index)] for window in windows]).view(-1, 1, 1, 1)
    maps = torch.stack([torch.arange(PATCHES).clamp(max=w.index).int()[None] for w in windows])
    return ScoredBatch(items, scores, maps, 3.0 * len(windows), 5.0 * len(windows))


def broken(name: str) -> Skipped:
    return Skipped(name, "broken", ImageError("broken"))


ITEMS = [image("a", 3), broken("x"), image("b", 2), image("c", 1), image("d", 5)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7, 100])
def test_images_come_back_whole_and_in_order(batch_size: int) -> None:
    batches = in_batches(windows_of(ITEMS), batch_size, lambda item: isinstance(item, Window))
    whole = [item for group in gather(map(score, batches)) for item in group]
    names = [item.path if isinstance(item, Skipped) else str(item.loaded.source) for item in whole]
    assert names == ["a", "x", "b", "c", "d"]
    for item in whole:
        if isinstance(item, CompleteImage):
            assert item.scores.flatten().tolist() == list(range(len(item.loaded.windows)))


def test_batches_are_full_but_the_last() -> None:
    items = windows_of([*ITEMS, broken("y")])
    batches = list(in_batches(items, 4, lambda item: isinstance(item, Window)))
    assert [len(score(batch).windows) for batch in batches] == [4, 4, 3]


def result_of(whole: CompleteImage):
    return whole.result({"labels": torch.zeros(2, 2).numpy()}, labels_ms=6.0, images=3)


def test_stages_are_whole_batches_and_shares_its_own() -> None:
    """Of image b, whose two windows lie in two batches of 4: of 12 ms of copying each has 3."""
    batches = in_batches(windows_of(ITEMS), 4, lambda item: isinstance(item, Window))
    (b,) = (
        item
        for group in gather(map(score, batches))
        for item in group
        if isinstance(item, CompleteImage) and str(item.loaded.source) == "b"
    )
    stages, share = result_of(b).stages_ms, result_of(b).share_ms
    assert (stages.decode, stages.fit, stages.copy, stages.scores, stages.labels) == (
        *(1.0, 2.0),
        *(24.0, 40.0, 6.0),
    )
    assert (share.copy, share.scores, share.labels) == (6.0, 10.0, 2.0)
    assert result_of(b).batch == 4


def test_what_is_kept_is_told_by_window_and_in_all() -> None:
    ((whole,),) = gather([score(list(windows_of([image("a", 3)])))])
    assert isinstance(whole, CompleteImage)
    result = result_of(whole)
    assert [(window.top, window.left) for window in result.windows] == [(0, 0), (0, 2), (0, 4)]
    assert [window.tokens_kept for window in result.windows] == [(1,), (2,), (3,)]
    assert result.tokens_kept == (6,)
    assert result.merge_maps.tolist() == [[0, 0, 0, 0, 1, 2, 2, 2, 3, 4, 5, 5]]
    assert (result.merge_maps.max(axis=1) + 1).tolist() == list(result.tokens_kept)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_an_image_is_skipped_where_the_model_failed_on_a_window_of_it(batch_size: int) -> None:
    failed = RuntimeError("no")

    def score_or_fail(items: list[Window | Skipped]) -> ScoredBatch:
        last_of_a = any(
            isinstance(item, Window) and str(item.loaded.source) == "a" and item.index == 2
            for item in items
        )
        return ScoredBatch(items, error=failed) if last_of_a else score(items)

    batches = in_batches(windows_of(ITEMS), batch_size, lambda item: isinstance(item, Window))
    whole = [item for group in gather(map(score_or_fail, batches)) for item in group]
    first = whole[0]
    assert isinstance(first, Skipped)
    assert (first.path, first.reason, first.error) == ("a", "no", failed)
    assert isinstance(whole[-1], CompleteImage) and len(whole) == 5
