"""Measures ways of merging one after another, for a sweep and for an advice.

    full-token ─▶ build ─▶ evaluate ─▶ bench ────────────────────┐
    variant    ─▶ build ─▶ evaluate ─▶ bench against full-token ─┴▶ a row each ────┐
    variants ─▶ first look ─▶ those worth a build, and why the others are not ─────┴▶ sweep.json

Accuracy and speed of a row come from the same artifact. Each row is on disk as soon as it is
measured: what is interrupted goes on where it stopped.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import mpm_deploy
from mpm_deploy.artifact import CreatedBy, read_manifest
from mpm_deploy.builder.build import build
from mpm_deploy.datasets import Dataset
from mpm_deploy.datasets.label_files import content_of, read_file
from mpm_deploy.errors import AgreementError, BuildError, DatasetError, InputError
from mpm_deploy.measure.accuracy.evaluate import DatasetInfo, Evaluation, evaluate
from mpm_deploy.measure.search.first_sight import FirstLook
from mpm_deploy.measure.search.settings import Settings
from mpm_deploy.measure.search.shortlist import shortlist
from mpm_deploy.measure.search.sweep import (
    SCHEMA,
    Accuracy,
    Failure,
    Sight,
    Speed,
    Subject,
    Sweep,
    SweepRow,
    Truth,
    pareto_front,
    read_sweep,
    write_sweep,
)
from mpm_deploy.measure.search.variants import name_of
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.measure.speed.report import Report, Spread
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.support.files import make_folder
from mpm_deploy.support.temporary_folder import temporary_folder

FILE = "sweep.json"
_EQUAL = Spread(1.0, 1.0, 1.0)

Say = Callable[[str], None]


class Sweeper:
    """Builds and measures ways of merging, and keeps the rows in a folder; nothing is
    measured twice.

    Args:
        recipe: The recipe to build; its own merging does not count.
        weights: SHA-256 of its weights' file; None for random ones.
        dataset: Images with label maps, true ones or the full-token model's.
        truth: Which of the two the label maps are.
        folder: For the sweep's files; made where it is not there.
        settings: How to measure.
        progress: Told each step as it begins.

    Attributes:
        sweep: All rows and failures so far.

    Raises:
        InputError: The folder cannot be written, or holds another sweep.
        MpmError: The full-token model cannot be built or measured.
    """

    def __init__(
        self,
        recipe: Recipe,
        weights: str | None,
        dataset: Dataset,
        truth: Truth,
        folder: Path,
        settings: Settings,
        progress: Say,
    ) -> None:
        self._recipe = recipe
        self._weights = weights
        self._dataset = dataset
        self._folder = folder
        self._settings = settings
        self._say = progress
        subject = _subject(recipe, weights, dataset, truth, settings)
        kept = _read(folder / FILE, subject)
        self._images = _link_images(dataset, folder / "timed_images", settings)
        self.sweep = kept or self._begin(subject)

    def measure(self, merge: MergeRecipe) -> SweepRow | None:
        """Return the row of a way of merging, measured before or now; None where it
        cannot be built.
        """
        known = self.sweep.row(merge)
        if known is not None:
            return known
        name = name_of(merge)
        failures = tuple(failure for failure in self.sweep.failures if failure.name != name)
        try:
            row = self._measure(merge)
        except (AgreementError, BuildError) as error:
            self._keep(failures=(*failures, Failure(name, error.problem)))
            return None
        rows = (*self.sweep.rows, row)
        front = pareto_front((self.sweep.full_token, *rows))
        self._keep(rows=rows, front=front, failures=failures)
        return row

    def worth_a_build(self, merges: Sequence[MergeRecipe], builds: int) -> list[Sight]:
        """Return the first sights of those ways of merging that are worth a build, and keep why the
        others are not, as `shortlist` tells them apart. One step of FLOPs is the full-token
        model's, which is built already.

        Args:
            merges: Ways of merging, each of which is looked at before or now.
            builds: The most to return.
        """
        full_token = self.sweep.full_token.merge
        every = (full_token, *merges)
        for number, merge in enumerate(every):
            if self.sweep.sight(merge) is None:
                self._say(f"first look {number}/{len(merges)}: {name_of(merge)}")
                self._keep(seen=(*self.sweep.seen, self._look(merge)))
        sights = shortlist([s for s in self.sweep.seen if s.merge in every], builds + 1)
        others = (sight for sight in self.sweep.seen if sight.merge not in every)
        self._keep(seen=(*others, *sights))
        return [s for s in sights if s.skipped is None and s.merge != full_token]

    @cached_property
    def _look(self) -> FirstLook:
        samples = self._dataset.samples[: self._settings.limit]
        images = [sample.image for sample in samples]
        return FirstLook(self._recipe, images, self._settings.threads)

    def _begin(self, subject: Subject) -> Sweep:
        artifact = self._full_token()
        merge = self._recipe.full_token().merge
        row, evaluation, report = self._row(merge, artifact, against=None)
        front, doubts = (row.name,), evaluation.doubts
        sweep = Sweep(SCHEMA, _created_by(), report.host, subject, row, front=front, doubts=doubts)
        write_sweep(self._folder / FILE, sweep)
        return sweep

    def _measure(self, merge: MergeRecipe) -> SweepRow:
        reference = self._full_token()
        suffix = self._recipe.backend.member.suffix
        with temporary_folder(self._folder) as folder:
            artifact = build(
                dataclasses.replace(self._recipe, merge=merge),
                folder / f"variant{suffix}",
                lambda step: self._say(f"{name_of(merge)}: {step}"),
            )
            return self._row(merge, artifact, against=reference)[0]

    def _full_token(self) -> Path:
        return full_token_artifact(self._recipe, self._weights, self._folder, self._say)

    def _row(
        self, merge: MergeRecipe, artifact: Path, against: Path | None
    ) -> tuple[SweepRow, Evaluation, Report]:
        settings, name = self._settings, name_of(merge)
        host: dict[str, Any] = {"device": settings.device, "threads": settings.threads}
        self._say(f"{name}: accuracy")
        evaluation = evaluate(
            artifact, self._dataset, limit=settings.limit, batch_size=settings.batch_size, **host
        )
        self._say(f"{name}: speed")
        report = bench(
            artifact,
            self._images,
            against=against,
            batch_sizes=(settings.batch_size,),
            repeats=settings.repeats,
            **host,
        )
        sha256 = evaluation.artifact.payload_sha256
        row = SweepRow(name, merge, sha256, accuracy_of(evaluation), _speed(report))
        return row, evaluation, report

    def _keep(self, **changes: Any) -> None:
        self.sweep = dataclasses.replace(self.sweep, created_by=_created_by(), **changes)
        write_sweep(self._folder / FILE, self.sweep)


def full_token_artifact(recipe: Recipe, weights: str | None, folder: Path, progress: Say) -> Path:
    """Return the full-token artifact of a recipe in a folder; build it where it is missing.

    Args:
        recipe: The recipe, with all that its weights say of the input.
        weights: SHA-256 of its weights; None where they are random.
        folder: The folder, which is made where it is not there.
        progress: Told each step of a build as it begins.

    Raises:
        InputError: The folder cannot be made.
        MpmError: It cannot be built.
    """
    full_token = recipe.full_token()
    path = folder / f"full_token{recipe.backend.member.suffix}"
    if path.is_file():
        manifest = read_manifest(path)
        kept = (manifest.recipe, manifest.weights.sha256, manifest.created_by.torch)
        if kept == (full_token.to_dict(), weights, torch.__version__):
            return path
    make_folder(folder)
    return build(full_token, path, lambda step: progress(f"full-token: {step}"))


def accuracy_of(evaluation: Evaluation) -> Accuracy:
    """Return the part of an evaluation that a row keeps.

    Raises:
        DatasetError: No pixel of it counts.
    """
    mean_iou, pixel_accuracy = evaluation.mean_iou, evaluation.pixel_accuracy
    if mean_iou is None or pixel_accuracy is None:
        raise DatasetError(
            f"{evaluation.dataset.root}: no pixel of its {evaluation.images} label maps counts",
            "name a data set whose label maps hold classes",
        )
    return Accuracy(evaluation.images, mean_iou, pixel_accuracy, evaluation.boundary_f_score)


def _read(path: Path, subject: Subject) -> Sweep | None:
    """Read the sweep of a file, None where there is no file; it must be of the same subject."""
    if not path.is_file():
        return None
    sweep = read_sweep(path)
    for part in dataclasses.fields(Subject):
        theirs, ours = getattr(sweep.subject, part.name), getattr(subject, part.name)
        if theirs != ours:
            raise InputError(
                f"{path}: a sweep of another {part.name}: {theirs}, and asked for {ours}",
                "name another folder with -o, or delete this one to measure anew",
            )
    return sweep


def _subject(
    recipe: Recipe, weights: str | None, dataset: Dataset, truth: Truth, settings: Settings
) -> Subject:
    values = recipe.full_token().to_dict()
    each = [
        (sample.id, content_of(read_file(sample.image)), content_of(read_file(sample.labels)))
        for sample in dataset.samples
    ]
    return Subject(
        recipe={section: values[section] for section in ("model", "backend", "input", "verify")},
        weights=weights,
        dataset=DatasetInfo.of(dataset),
        samples=hashlib.sha256(repr(each).encode()).hexdigest(),
        truth=truth,
        settings=settings,
        torch=torch.__version__,
    )


def _link_images(dataset: Dataset, folder: Path, settings: Settings) -> Path:
    """Fill a folder with links to the images that are timed, and return the folder."""
    make_folder(folder)
    for old in folder.iterdir():
        old.unlink()
    for number, sample in enumerate(dataset.samples[: settings.limit][: settings.timed]):
        link = folder / f"{number:05}{sample.image.suffix}"
        link.symlink_to(sample.image.resolve())
    return folder


def _speed(report: Report) -> Speed:
    """Return the speed in a report of one batch size; a report without a comparison is the
    full-token model's own.
    """
    measured, comparison = report.results[0], report.comparison
    ratio = comparison.results[0] if comparison is not None else None
    return Speed(
        images=measured.images,
        end_to_end_fps=measured.end_to_end_fps,
        model_fps=measured.model_fps,
        end_to_end_fps_ratio=ratio.end_to_end_fps_ratio if ratio else _EQUAL,
        model_fps_ratio=ratio.model_fps_ratio if ratio else _EQUAL,
        flop_ratio=ratio.flop_ratio if ratio else 1.0,
        gflops=measured.gflops,
        tokens_kept=measured.tokens_kept,
    )


def _created_by() -> CreatedBy:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return CreatedBy(mpm_deploy.__version__, torch.__version__, now)
