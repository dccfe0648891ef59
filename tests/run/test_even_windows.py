"""Windows that lie evenly, against transformers' own for EoMT."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from mpm_deploy.artifact import InputInfo
from mpm_deploy.ops.label_map.windows import window_label_map, window_means
from mpm_deploy.run.image_fit import image_fit_of

eomt = pytest.importorskip(
    "transformers.models.eomt.image_processing_eomt", reason="transformers is not installed"
)

SIDE, CLASSES = 48, 5
INPUT = InputInfo(SIDE, SIDE, (0.0,) * 3, (1.0,) * 3, "slide_evenly")
SIZES = [(48, 48), (10, 10), (97, 100), (50, 300), (211, 40), (13, 299), (96, 192), (400, 333)]


@pytest.fixture(scope="module")
def processor() -> Any:
    """It resizes and cuts, and leaves the pixels as they are."""
    return eomt.EomtImageProcessor(
        size={"shortest_edge": SIDE, "longest_edge": None},
        do_split_image=True,
        do_rescale=False,
        do_normalize=False,
    )


def merged(
    processor: Any, scores: torch.Tensor, starts: Sequence[int], size: tuple[int, int]
) -> torch.Tensor:
    offsets = [(0, start, start + SIDE) for start in starts]
    means: torch.Tensor = processor.merge_image_patches(scores, offsets, [size], processor.size)[0]
    return means


@pytest.mark.parametrize("size", SIZES)
def test_windows_and_merged_scores_are_those_of_transformers(
    processor: Any, size: tuple[int, int]
) -> None:
    generator = np.random.default_rng(size[0])
    image = torch.from_numpy(generator.integers(0, 256, (3, *size), dtype=np.uint8))
    theirs = processor(images=[image], return_tensors="pt")
    starts = [int(start) for _, start, _ in theirs["patch_offsets"]]
    ours = image_fit_of(INPUT)(image)
    assert ours.grid is not None
    assert [max(corner) for corner in ours.grid.corners()] == starts
    assert torch.equal(torch.stack(ours.windows), theirs["pixel_values"].byte())

    random = torch.Generator().manual_seed(size[1])
    scores = torch.rand(len(starts), CLASSES, SIDE, SIDE, generator=random)
    # The mean of three or more windows is another sum in another order: a few roundings apart.
    expected = merged(processor, scores, starts, ours.size)
    torch.testing.assert_close(window_means(scores, ours.grid), expected, atol=1e-6, rtol=0)
    labels = window_label_map(scores, ours.grid, size)
    # Resized by other code, in which close classes may change places.
    agreeing = labels == merged(processor, scores, starts, size).argmax(dim=0)
    assert agreeing.float().mean() > 0.999
