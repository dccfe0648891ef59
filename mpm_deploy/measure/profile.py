"""The profile: where the time goes, of an artifact's stages and of its model's parts.

    artifact     ─▶ bench ─▶ decode, fit, copy, scores, labels       what the file itself tells
    eager model  ─▶ Stopwatch ─▶ embed, merge, attention, MLP, ...   what compiled code cannot tell
       of the manifest's recipe, merged and full-token in turns

Compiled code has no blocks any more: what is said of them is the eager model's, and named so.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from mpm_deploy.artifact import Manifest, read_manifest
from mpm_deploy.build import make_model
from mpm_deploy.errors import ImageError, InputError, MpmError
from mpm_deploy.fitting import fitting_of
from mpm_deploy.images import decode, find_images
from mpm_deploy.measure.bench import bench
from mpm_deploy.measure.break_even import BreakEven, find_break_even
from mpm_deploy.measure.report import ArtifactInfo, HostInfo, Report
from mpm_deploy.measure.stopwatch import Part, Stopwatch
from mpm_deploy.own_threads import set_own_threads
from mpm_deploy.recipe import Recipe
from mpm_deploy.structure import to_mapping

SCHEMA = "mpm-profile/1"
_WARMUP = 2  # images

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """A part of the work for one image.

    Attributes:
        name: As ``"decode"`` or ``"attention"``.
        block: The block it is of; None where it is of none.
        source: ``"artifact"`` or ``"eager"``: who was timed.
        ms: Milliseconds an image; a mean of an artifact's, a median of the eager model's.
        ms_full_token: Of the full-token model's; None where that was not timed, or has no such.
    """

    name: str
    block: int | None
    source: Literal["artifact", "eager"]
    ms: float
    ms_full_token: float | None


@dataclass(frozen=True)
class Profile:
    """All that one profile found out (`docs/profile.md`).

    Attributes:
        images: How many were timed, one a call.
        break_even: From how many tokens on merging pays, where that was asked for.
        remarks: What could not be timed, and why.
    """

    schema: str
    artifact: ArtifactInfo
    host: HostInfo
    images: int
    stages: tuple[Stage, ...]
    break_even: tuple[BreakEven, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping


def profile(
    artifact: str | Path,
    folder: str | Path,
    *,
    against: str | Path | None = None,
    limit: int = 16,
    break_even: bool = False,
    device: str | None = None,
    threads: int | None = None,
    progress: Say | None = None,
) -> Profile:
    """Time the stages of an artifact, and the parts of its eager model.

    Args:
        artifact: A ``.pt`` or ``.pt2``.
        folder: Images.
        against: The full-token artifact, for its stages.
        limit: First images of the folder.
        break_even: Whether to look for the token count from which merging pays.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        progress: Told each step as it begins.

    Raises:
        InputError: No usable image.
        ArtifactError: An artifact is broken or disagrees with its own sample.
        HostError: An artifact does not fit this machine.
    """
    say = progress or (lambda _: None)
    say("the artifact's stages")
    report = bench(
        artifact, folder, against=against, batch_sizes=(1,), limit=limit, device=device,
        threads=threads,
    )  # fmt: skip
    manifest = read_manifest(artifact)
    stages, remarks = list(_artifact_stages(report)), []
    even: tuple[BreakEven, ...] = ()
    set_own_threads(report.host.threads)
    try:
        recipe = _eager_recipe(manifest, device)
        images = _inputs(manifest, find_images(folder)[:limit])
        stages += _eager_stages(recipe, images, say)
        if break_even:
            even = find_break_even(recipe, find_images(folder)[:limit], say)
    except MpmError as error:
        if isinstance(error, InputError):
            raise
        remarks.append(f"the eager model is not timed: {error.problem}")
    return Profile(
        schema=SCHEMA,
        artifact=report.artifact,
        host=report.host,
        images=report.results[0].images,
        stages=tuple(stages),
        break_even=even,
        remarks=tuple(remarks),
    )


def _artifact_stages(report: Report) -> list[Stage]:
    own = to_mapping(report.results[0].stages_ms)
    others: dict[str, float] = {}
    if report.comparison is not None:
        others = to_mapping(report.comparison.results[0].against.stages_ms)
    return [Stage(name, None, "artifact", ms, others.get(name)) for name, ms in own.items()]


def _eager_recipe(manifest: Manifest, device: str | None) -> Recipe:
    recipe = Recipe.from_dict(manifest.recipe)
    return recipe if device is None else recipe.override(f"backend.device={device.split(':')[0]}")


def _inputs(manifest: Manifest, files: Sequence[Path]) -> list[Tensor]:
    """The first window of every image that can be decoded, ``(1, 3, H, W)`` uint8."""
    fit = fitting_of(manifest.input, None)
    inputs = []
    for file in files:
        try:
            inputs.append(fit(decode(file)).windows[0][None])
        except ImageError:
            continue  # the bench has said so
    return inputs


def _eager_stages(recipe: Recipe, images: Sequence[Tensor], say: Say) -> list[Stage]:
    """Merged and full-token take turns, image by image."""
    say("the eager model's parts")
    watches = [Stopwatch(make_model(each)[0]) for each in (recipe, recipe.full_token())]
    for image in images[:_WARMUP]:
        for watch in watches:
            watch.time(image)
    laps = [[watch.time(image) for watch in watches] for image in images]
    merged, full = ([lap[which] for lap in laps] for which in (0, 1))
    return [
        Stage(part.name, part.block, "eager", _median(merged, part), _median_or_none(full, part))
        for part in merged[0]
    ]


def _median(laps: Sequence[dict[Part, float]], part: Part) -> float:
    return statistics.median(lap[part] for lap in laps)


def _median_or_none(laps: Sequence[dict[Part, float]], part: Part) -> float | None:
    return _median(laps, part) if part in laps[0] else None
