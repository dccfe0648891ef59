"""Looks at ways of merging on a few images, with the eager model, before anything is built.

    a few images ─┬─▶ full-token, eager ─▶ label maps ───────────────┐
                  └─▶ merged, eager ──┬──▶ label maps ─▶ agreement ◀─┘
                                      └──▶ tokens kept ─▶ GFLOPs

Both are known in seconds, and only say what is worth a build. It is agreement and not mIoU, which a
single image can move by more than one way of merging differs from another.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import fmean

from mpm_deploy.artifact import Manifest
from mpm_deploy.builder.build import open_eager
from mpm_deploy.measure.search.sweep import Sight
from mpm_deploy.measure.search.variants import name_of
from mpm_deploy.measure.unusable import none_usable
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner

IMAGES = 16  # that are looked at, at most


class FirstLook:
    """Compares the label maps of eager models with the full-token model's, on a few images.

    Args:
        recipe: The recipe, whose own merging does not count; on a CPU it computes in float32, in
            which eager code is fastest.
        images: Those to look at, of which 16 are taken, from first to last at equal distances; what
            cannot be used is passed over.
        threads: As `Runner` takes it.

    Raises:
        InputError: None of them can be used.
        MpmError: The model cannot be made.
    """

    def __init__(self, recipe: Recipe, images: Sequence[Path], threads: int | None) -> None:
        self._recipe = _in_float32(recipe) if recipe.backend.device == "cpu" else recipe
        self._threads = threads
        few = images[:: math.ceil(len(images) / IMAGES)]
        with self._open(recipe.full_token().merge) as runner:
            outcomes = list(runner.run(few, runner.usual_batch_size))
        results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
        if not results:
            raise none_usable(few[0].parent, [one for one in outcomes if isinstance(one, Skipped)])
        self._images = [result.source for result in results]
        self._labels = [result.labels for result in results]  # (height, width) each

    def __call__(self, merge: MergeRecipe) -> Sight:
        """Look at one way of merging.

        Raises:
            MpmError: It cannot be made or run.
        """
        flops, agreements = [], []
        with self._open(merge) as runner:
            outcomes = runner.run(self._images, runner.usual_batch_size, on_error="raise")
            results = (outcome for outcome in outcomes if isinstance(outcome, Result))
            for result, labels in zip(results, self._labels, strict=True):
                flops.append(_flops(runner.manifest, result))
                agreements.append(float((result.labels == labels).mean()))
        return Sight(name_of(merge), merge, fmean(flops) / 1e9, tuple(agreements))

    @contextmanager
    def _open(self, merge: MergeRecipe) -> Iterator[Runner]:
        opened = open_eager(dataclasses.replace(self._recipe, merge=merge))
        with closing(opened.program), Runner(opened, threads=self._threads) as runner:
            yield runner


def _in_float32(recipe: Recipe) -> Recipe:
    backend = dataclasses.replace(recipe.backend, dtype="float32", calibration=None)
    return dataclasses.replace(recipe, backend=backend)


def _flops(manifest: Manifest, result: Result) -> float:
    """Return the FLOPs of an image, of all its windows together."""
    kept = [(manifest.patches, *window.tokens_kept) for window in result.windows]
    return sum(map(manifest.flops.total, kept))
