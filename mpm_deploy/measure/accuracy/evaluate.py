"""Evaluates an artifact: how accurate are its label maps, on a data set with true ones?

    sample ─┬─ image ─▶ Runner ─▶ label map ─┐ both of the image's own size
            └─ label file ─▶ true classes ───┼─▶ confusion counts ─▶ + ─▶ IoU of each class, mIoU
                                             └─▶ boundary counts ──▶ + ─▶ boundary F-score
                                                                     └─▶ state file, every 50 images

Counts are whole numbers, summed image by image: memory stays flat, and an evaluation in pieces
gives what one in a single run gives.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mpm_deploy
from mpm_deploy.artifact import CreatedBy
from mpm_deploy.backends import OpenArtifact
from mpm_deploy.errors import DatasetError, InputError
from mpm_deploy.families import DATASETS
from mpm_deploy.measure.accuracy.boundary import boundary_counts, boundary_f_score
from mpm_deploy.measure.accuracy.confusion import (
    Counts,
    PerClass,
    class_accuracy,
    class_iou,
    confusion,
    mean_of_known,
    pixel_accuracy,
)
from mpm_deploy.measure.accuracy.datasets import IGNORED, Dataset, Sample, open_dataset
from mpm_deploy.measure.accuracy.state import StateFile, Subject, Tally
from mpm_deploy.measure.speed.report import ArtifactInfo, SkippedImage
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner
from mpm_deploy.support.schema import to_mapping

SCHEMA = "mpm-evaluation/2"
SAVE_EVERY = 50  # images


@dataclass(frozen=True)
class DatasetInfo:
    """The data set that was used; ``images`` is the number of images that it has in all."""

    name: str
    root: str
    images: int
    classes: int

    @classmethod
    def of(cls, dataset: Dataset) -> "DatasetInfo":
        """Describe an open data set."""
        return cls(dataset.name, str(dataset.root), len(dataset), len(dataset.classes))


@dataclass(frozen=True)
class ClassAccuracy:
    """The accuracy of one class: shares from 0 to 1, or None where there is nothing to divide by;
    ``pixels`` counts the pixels that are truly of this class.
    """

    name: str
    iou: float | None
    accuracy: float | None
    boundary_f_score: float | None
    pixels: int


@dataclass(frozen=True)
class Evaluation:
    """The results of one evaluation, as `docs/formats/evaluation.md` describes the file.

    Attributes:
        images: How many were evaluated.
        stride: Pixels from window to window, where it was asked for.
        mean_iou: Over the classes that are in the true or the predicted label maps.
        mean_class_accuracy: Over the classes that are in the true label maps.
        pixel_accuracy: Over all pixels that count.
        boundary_f_score: Mean over the classes that have a boundary in the true or the predicted
            label maps.
        tokens_kept: Mean over the images after each merge.
    """

    schema: str
    created_by: CreatedBy
    artifact: ArtifactInfo
    dataset: DatasetInfo
    images: int
    stride: int | None
    mean_iou: float | None
    mean_class_accuracy: float | None
    pixel_accuracy: float | None
    boundary_f_score: float | None
    tokens_kept: tuple[float, ...]
    per_class: tuple[ClassAccuracy, ...]
    skipped: tuple[SkippedImage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values that JSON can hold."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping


def evaluate(
    artifact: str | Path | OpenArtifact,
    dataset: Dataset | str | Path,
    *,
    root: str | Path | None = None,
    limit: int | None = None,
    batch_size: int = 1,
    stride: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    state: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Compare an artifact's label maps with true ones, each at its image's own size.

    Args:
        artifact: A ``.pt`` or ``.pt2``, or what `open_eager` gives.
        dataset: A folder whose layout tells which data set it is, with as many classes as the
            artifact; or with ``root`` a data set's name, as ``"cityscapes"``; or what
            `open_dataset` gives.
        root: The folder that the data set's layout begins in.
        limit: First samples of the data set; None is all.
        batch_size: Images a model call.
        stride: Pixels from window to window, for an artifact that runs by windows; None is its own.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        state: Keeps what is counted every `SAVE_EVERY` images and at the end, also of one that
            fails or is interrupted. Where the file is there already, only what is not in it yet is
            run.
        progress: Told images done and images in all.

    Returns:
        The evaluation, whose ``to_dict()`` is what ``mpm-deploy eval --json`` writes.

    Raises:
        InputError: Another number of classes; no usable image; a state of another evaluation.
        DatasetError: No such data set there; a label map that is none, or not of its image's size.
        ArtifactError: The artifact is broken or disagrees with its own sample.
        HostError: The artifact does not fit this machine.
    """
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(str(dataset), root)
    with Runner(artifact, device=device, threads=threads, stride=stride) as runner:
        _check_classes(runner.artifact, len(runner.manifest.model.classes), dataset)
        if not isinstance(artifact, OpenArtifact):
            runner.check_sample()
        file = StateFile(state, _subject(runner, dataset, stride)) if state is not None else None
        tally = file.load() if file is not None else Tally.empty(len(dataset.classes))
        count = _Count(runner, dataset, dataset.samples[:limit], tally, file, progress)
        skipped = count.run(batch_size)
        info = ArtifactInfo.of(str(runner.artifact), runner.manifest, str(runner.device))
    if not count.tally.done:
        raise InputError(f"{dataset.root}: none of its {len(skipped)} images can be decoded")
    return _sum_up(info, dataset, count.tally, stride, skipped)


class _Count:
    """One run over the samples that are not in the tally yet; ``tally`` grows as they
    are counted.
    """

    def __init__(
        self,
        runner: Runner,
        dataset: Dataset,
        samples: Sequence[Sample],
        tally: Tally,
        file: StateFile | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._runner = runner
        self._dataset = dataset
        self._total = len(samples)
        self._left = [sample for sample in samples if sample.id not in tally.done]
        self.tally = tally
        self._file = file
        self._progress = progress
        surplus = len(tally.done) + len(self._left) - self._total
        if surplus:
            raise InputError(
                f"the state holds {len(tally.done)} images, {surplus} more than are asked for",
                "leave --limit out or raise it, or name another --state",
            )

    def run(self, batch_size: int) -> tuple[SkippedImage, ...]:
        """Count the samples; return those that cannot be decoded, which are tried again
        every time.
        """
        skipped = []
        self._tell(0)
        images = (sample.image for sample in self._left)
        try:
            with closing(self._runner.run(images, batch_size)) as outcomes:
                pairs = zip(self._left, outcomes, strict=True)
                for number, (sample, outcome) in enumerate(pairs, start=1):
                    if isinstance(outcome, Skipped):
                        skipped.append(SkippedImage(outcome.path, outcome.reason))
                    else:
                        self._add(sample, outcome)
                    self._tell(number)
                    if number % SAVE_EVERY == 0:
                        self._save()
            self._save()
        except BaseException:  # also one that cut a save short
            self._save()
            raise
        return tuple(skipped)

    def _add(self, sample: Sample, result: Result) -> None:
        truth = self._dataset.labels(sample)
        if truth.shape != result.labels.shape:
            raise DatasetError(
                f"{sample.labels}: expected the size of its image, {_shown(result.labels)}, "
                f"got {_shown(truth)}",
                "this may be the label map of another image: copy both files again",
            )
        maps = (truth, result.labels, len(self._dataset.classes), IGNORED)
        self.tally = self.tally.plus(
            sample.id, confusion(*maps), boundary_counts(*maps), result.tokens_kept
        )

    def _save(self) -> None:
        if self._file is not None and self.tally.done:
            self._file.save(self.tally)

    def _tell(self, number: int) -> None:
        if self._progress is not None:
            self._progress(self._total - len(self._left) + number, self._total)


def _check_classes(artifact: Path, classes: int, dataset: Dataset) -> None:
    if classes == len(dataset.classes):
        return
    fitting = [name for name, member in DATASETS.items() if len(member.classes) == classes]
    raise InputError(
        f"{artifact}: expected the {len(dataset.classes)} classes of {dataset.name}, got {classes}",
        f"{' or '.join(fitting)} has {classes}: evaluate it on that"
        if fitting
        else f"name an artifact whose weights were trained on {dataset.name}",
    )


def _subject(runner: Runner, dataset: Dataset, stride: int | None) -> Subject:
    ids = "\n".join(sample.id for sample in dataset.samples)
    return Subject(
        artifact=runner.manifest.payload_sha256,
        dataset=dataset.name,
        samples=hashlib.sha256(ids.encode()).hexdigest(),
        classes=len(dataset.classes),
        device=str(runner.device),
        stride=stride,
    )


def _sum_up(
    artifact: ArtifactInfo,
    dataset: Dataset,
    tally: Tally,
    stride: int | None,
    skipped: tuple[SkippedImage, ...],
) -> Evaluation:
    counts, images = tally.counts, len(tally.done)
    iou, accuracy = class_iou(counts), class_accuracy(counts)
    boundaries = boundary_f_score(tally.boundaries)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Evaluation(
        schema=SCHEMA,
        created_by=CreatedBy(mpm_deploy.__version__, torch.__version__, created),
        artifact=artifact,
        dataset=DatasetInfo.of(dataset),
        images=images,
        stride=stride,
        mean_iou=_known(mean_of_known(iou)),
        mean_class_accuracy=_known(mean_of_known(accuracy)),
        pixel_accuracy=_known(pixel_accuracy(counts)),
        boundary_f_score=_known(mean_of_known(boundaries)),
        tokens_kept=tuple(tokens / images for tokens in tally.tokens_kept),
        per_class=_per_class(dataset, iou, accuracy, boundaries, counts.sum(axis=1)),
        skipped=skipped,
    )


def _per_class(
    dataset: Dataset, iou: PerClass, accuracy: PerClass, boundaries: PerClass, pixels: Counts
) -> tuple[ClassAccuracy, ...]:
    columns = (column.tolist() for column in (iou, accuracy, boundaries, pixels))
    return tuple(
        ClassAccuracy(name, _known(iou), _known(accuracy), _known(score), pixels)
        for name, iou, accuracy, score, pixels in zip(dataset.classes, *columns, strict=True)
    )


def _known(share: float) -> float | None:
    return None if math.isnan(share) else share


def _shown(labels: NDArray[np.integer[Any]]) -> str:
    return "{} × {}".format(*labels.shape)
