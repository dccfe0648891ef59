"""Profiles an artifact: where does the time go, by the artifact's stages and its model's parts?

    artifact     ─▶ bench ─▶ decode, fit, copy, scores, labels       what the file itself tells
    eager model  ─▶ Stopwatch ─▶ embed, merge, attention, MLP, ...   what compiled code cannot tell
       of the manifest's recipe, merged and full-token in turns

Compiled code has no blocks any more: what is said of them is the eager model's, and named so.
"""

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from mpm_deploy.artifact import Manifest, WeightsOrigin, read_manifest
from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import ImageError, InputError, ModelError, MpmError
from mpm_deploy.images.decode import decode, find_images
from mpm_deploy.measure.profile.break_even import BreakEven, find_break_even
from mpm_deploy.measure.profile.stopwatch import Part, Stopwatch
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.measure.speed.report import ArtifactInfo, HostInfo, Report, SkippedImage
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe import Recipe
from mpm_deploy.run.image_fit import image_fit_of
from mpm_deploy.support.schema import to_mapping
from mpm_deploy.support.threads import set_intra_op_threads

SCHEMA = "mpm-profile/2"
_WARMUP = {"cpu": 3, "cuda": 50}  # images, of each model

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """The time of one part of the work for one image.

    Attributes:
        name: The part's name, as ``"decode"`` or ``"attention"``.
        block: The block it belongs to; None where it belongs to none.
        source: ``"artifact"`` or ``"eager"``: who was timed.
        ms: Milliseconds an image; a mean of an artifact's, a median of the eager model's.
        ms_full_token: The full-token model's; None where that was not timed, or has no such part.
    """

    name: str
    block: int | None
    source: Literal["artifact", "eager"]
    ms: float
    ms_full_token: float | None


@dataclass(frozen=True)
class Profile:
    """The results of one profile (`docs/formats/profile.md`).

    Attributes:
        images: How many were timed, one a call.
        break_even: From how many tokens on merging pays, where that was asked for.
        remarks: What could not be timed, why, and the cure.
        skipped: Images that gave no result, and why.
    """

    schema: str
    artifact: ArtifactInfo
    host: HostInfo
    images: int
    stages: tuple[Stage, ...]
    break_even: tuple[BreakEven, ...]
    remarks: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values that JSON can hold."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping


def _time_eager(
    eager: "_Eager", break_even: bool, threads: int
) -> tuple[list[Stage], tuple[BreakEven, ...], list[str]]:
    """Time the eager model's parts, and return remarks instead where it cannot be rebuilt here."""
    stages: list[Stage] = []
    even: tuple[BreakEven, ...] = ()
    remarks: list[str] = []
    # a thread of its own: how many torch uses there is no matter of the caller's
    with ThreadPoolExecutor(1, "mpm-eager", set_intra_op_threads, (threads,)) as thread:
        try:
            stages = thread.submit(eager.stages).result()
            if break_even:
                even, remarks = thread.submit(eager.break_even).result()
        except InputError:
            raise
        except MpmError as error:
            cure = f"; {error.hint}" if error.hint else ""
            what = "no break-even" if stages else "the eager model is not timed"
            remarks = [f"{what}: {error.problem}{cure}"]
    return stages, even, remarks


def profile(
    artifact: str | Path,
    folder: str | Path,
    *,
    against: str | Path | None = None,
    limit: int = 16,
    break_even: bool = False,
    device: str | None = None,
    threads: int | None = None,
    trust: str | Path | None = None,
    progress: Say | None = None,
) -> Profile:
    """Time the stages of an artifact, and the parts of its eager model.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        folder: Images.
        against: The full-token artifact, for its stages.
        limit: First images of the folder.
        break_even: Whether to look for the token count from which merging pays.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        trust: As `Runner` takes it.
        progress: Told each step as it begins.

    Raises:
        InputError: No usable image; a break-even of an artifact that does not merge.
        ArtifactError: An artifact is broken or disagrees with its own sample.
        HostError: An artifact does not fit this machine.
    """
    say = progress or (lambda _: None)
    manifest = read_manifest(artifact)
    if break_even and not manifest.merge.blocks:
        raise InputError(
            f"{artifact}: expected an artifact that merges, to find its break-even, got full-token",
            "name the merged one, or leave --break-even out",
        )
    say("the artifact's stages")
    report = bench(
        artifact, folder, against=against, batch_sizes=(1,), limit=limit, device=device,
        threads=threads, trust=trust,
    )  # fmt: skip
    stages = _artifact_stages(report)
    eager = _Eager(manifest, torch.device(report.artifact.device), find_images(folder)[:limit], say)
    more, even, remarks = _time_eager(eager, break_even, report.host.threads)
    stages += more
    return Profile(
        schema=SCHEMA,
        artifact=report.artifact,
        host=report.host,
        images=report.results[0].images,
        stages=tuple(stages),
        break_even=even,
        remarks=tuple(remarks),
        skipped=report.skipped,
    )


def _artifact_stages(report: Report) -> list[Stage]:
    own = to_mapping(report.results[0].stages_ms)
    others: dict[str, float] = {}
    if report.comparison is not None:
        others = to_mapping(report.comparison.results[0].against.stages_ms)
    return [Stage(name, None, "artifact", ms, others.get(name)) for name, ms in own.items()]


class _Eager:
    """The eager model of an artifact, on its device, and the images to time it on."""

    def __init__(
        self, manifest: Manifest, device: torch.device, files: Sequence[Path], say: Say
    ) -> None:
        self._manifest = manifest
        self._device = device
        self._files = files
        self._say = say

    def stages(self) -> list[Stage]:
        """Time the parts of the eager model; merged and full-token take turns, image by image.

        Raises:
            MpmError: It cannot be rebuilt here.
        """
        self._say("the eager model's parts")
        recipe = self._recipe()
        recipes = [recipe, recipe.full_token()] if recipe.merge.blocks else [recipe]
        watches = [Stopwatch(self._model(each)) for each in recipes]
        images = self._inputs()
        for number in range(_WARMUP[self._device.type]):
            for watch in watches:
                watch.time(images[number % len(images)])
        laps = [[watch.time(image) for watch in watches] for image in images]
        merged, *others = ([lap[which] for lap in laps] for which in range(len(watches)))
        full = others[0] if others else None
        return [
            Stage(
                part.name, part.block, "eager", _median(merged, part), _median_or_none(full, part)
            )
            for part in merged[0]
        ]

    def break_even(self) -> tuple[tuple[BreakEven, ...], list[str]]:
        """Find the break-even of the eager model with `find_break_even`.

        Raises:
            MpmError: It cannot be rebuilt here.
        """
        return find_break_even(self._recipe(), self._model, self._files, self._say)

    def _recipe(self) -> Recipe:
        return Recipe.from_dict(self._manifest.recipe)

    def _model(self, recipe: Recipe) -> Segmenter:
        device = None if recipe.backend.member.builds_on else f"backend.device={self._device.type}"
        try:
            model, weights = make_model(recipe.override(device) if device else recipe)
        except ModelError as error:
            raise ModelError(error.problem, _cure(recipe)) from error
        built_from = self._manifest.weights
        if weights.sha256 != built_from.sha256:
            raise ModelError(_other_weights(recipe, weights.sha256, built_from), _cure(recipe))
        return model.to(self._device).eval()

    def _inputs(self) -> list[Tensor]:
        """Return all windows of each image that can be decoded, as ``(windows, 3, H, W)`` uint8."""
        fit = image_fit_of(self._manifest.input)
        inputs = []
        for file in self._files:
            try:
                inputs.append(torch.stack(fit(decode(file)).windows))
            except ImageError:
                continue  # the bench has named it
        return inputs


def _cure(recipe: Recipe) -> str:
    return f"put back the weights it was built from, {recipe.model.weights}, or build it anew"


def _other_weights(recipe: Recipe, sha256: str | None, built_from: WeightsOrigin) -> str:
    expected, got = (f"SHA-256 {(known or 'none')[:12]}" for known in (built_from.sha256, sha256))
    return (
        f"{recipe.model.weights}: expected the weights that the artifact was built from, "
        f"{expected}, got {got}"
    )


def _median(laps: Sequence[dict[Part, float]], part: Part) -> float:
    return statistics.median(lap[part] for lap in laps)


def _median_or_none(laps: Sequence[dict[Part, float]] | None, part: Part) -> float | None:
    return _median(laps, part) if laps and part in laps[0] else None
