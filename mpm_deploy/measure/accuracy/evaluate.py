"""Evaluates an artifact: how accurate are its label maps, on a data set with true ones?

    sample ─┬─ image ─▶ Runner ─▶ label map ─┐ both of the image's own size
            └─ label file ─▶ true classes ───┼─▶ confusion counts ─▶ + ─▶ IoU of each class, mIoU
                                             └─▶ boundary counts ──▶ + ─▶ boundary F-score
                                                         └─▶ state file, a line for each image

Counts are whole numbers, summed image by image: memory stays flat, and an evaluation in pieces
gives what one in a single run gives.
"""

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
from mpm_deploy.datasets import IGNORED, Dataset, Sample, open_dataset
from mpm_deploy.datasets.classes import check_classes
from mpm_deploy.datasets.confusion import (
    Counts,
    PerClass,
    class_accuracy,
    class_iou,
    confusion,
    mean_of_known,
    pixel_accuracy,
)
from mpm_deploy.datasets.label_files import check_size, content_of, read_file
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import orientation_of
from mpm_deploy.measure.accuracy.boundary import boundary_counts, boundary_f_score
from mpm_deploy.measure.accuracy.doubts import doubts_of
from mpm_deploy.measure.accuracy.state import StateFile, Subject
from mpm_deploy.measure.accuracy.tally import CountedSample, ImageCounts, Tally
from mpm_deploy.measure.speed.report import ArtifactInfo, SkippedImage
from mpm_deploy.measure.unusable import none_usable
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner
from mpm_deploy.support.numbers import whole_number_or_none
from mpm_deploy.support.schema import to_mapping

SCHEMA = "mpm-evaluation/2"


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
        ignored_pixels: How many do not count; None in files of before.
        doubts: What is likely to be a mistake, a sentence each.
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
    ignored_pixels: int | None = None
    doubts: tuple[str, ...] = ()

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
    trust: str | Path | None = None,
    state: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Compare an artifact's label maps with true ones, each at its image's own size.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``, or what `open_eager`
            gives.
        dataset: A folder whose layout tells which data set it is, with the artifact's classes; or
            with ``root`` a data set's name, as ``"cityscapes"``; or what `open_dataset` gives.
        root: The folder that the data set's layout begins in.
        limit: First samples of the data set; None is all.
        batch_size: Images a model call.
        stride: Pixels from window to window, for an artifact that runs by windows; None is its own.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        trust: As `Runner` takes it.
        state: Keeps what is counted, image by image. Where the file is there already, only what is
            not in it yet is run: images that are new, or whose files changed.
        progress: Told images done and images in all.

    Returns:
        The evaluation, whose ``to_dict()`` is what ``mpm-deploy eval --json`` writes.

    Raises:
        InputError: Other classes; no usable image; a state of another evaluation, or of a model
            that is no file; a number out of range.
        DatasetError: No such data set there; a label map that is none, or not of its image's size.
        ArtifactError: The artifact is broken or disagrees with its own sample.
        HostError: The artifact does not fit this machine.
    """
    limit = whole_number_or_none("limit", limit)
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(str(dataset), root)
    with Runner(artifact, device=device, threads=threads, stride=stride, trust=trust) as runner:
        names = runner.manifest.model.classes
        check_classes(runner.artifact, names, dataset)
        if not isinstance(artifact, OpenArtifact):
            runner.check_sample()
        file = StateFile(state, _subject(runner, dataset, stride)) if state is not None else None
        samples = dataset.samples[:limit]
        tally = file.load(samples) if file is not None else Tally(len(dataset.classes))
        count = _Count(runner, dataset, samples, tally, file, progress)
        skipped = count.run(batch_size)
        info = ArtifactInfo.of(str(runner.artifact), runner.manifest, str(runner.device))
    if not tally.samples:
        raise none_usable(dataset.root, skipped)
    return _sum_up(info, names, dataset, tally, stride, skipped)


class _Count:
    """One run over the samples that are not in a tally yet, which grows as they are counted."""

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
        self._left = [sample for sample in samples if sample.id not in tally.samples]
        self._tally = tally
        self._file = file
        self._progress = progress

    def run(self, batch_size: int) -> tuple[SkippedImage, ...]:
        """Count the samples; return those that cannot be used, which are tried again every time."""
        skipped = []
        self._tell(0)
        images = (sample.image for sample in self._left)
        with closing(self._runner.run(images, batch_size)) as outcomes:
            pairs = zip(self._left, outcomes, strict=True)
            for number, (sample, outcome) in enumerate(pairs, start=1):
                if isinstance(outcome, Skipped):
                    skipped.append(SkippedImage(outcome.path, outcome.reason))
                else:
                    self._add(self._count(sample, outcome))
                self._tell(number)
        return tuple(skipped)

    def _count(self, sample: Sample, result: Result) -> ImageCounts:
        truth = self._dataset.labels(sample, self._runner.manifest.model.palette)
        check_size(sample.labels, truth.shape, sample.image, result.labels.shape)
        maps = (truth, result.labels, len(self._dataset.classes), IGNORED)
        counted = _counted(sample, truth, result.tokens_kept)
        return ImageCounts.of(counted, confusion(*maps), boundary_counts(*maps))

    def _add(self, image: ImageCounts) -> None:
        if self._file is not None:
            self._file.append(image)
        self._tally.add(image)

    def _tell(self, number: int) -> None:
        if self._progress is not None:
            self._progress(self._total - len(self._left) + number, self._total)


def _counted(
    sample: Sample, truth: NDArray[np.uint8], tokens_kept: tuple[int, ...]
) -> CountedSample:
    height, width = truth.shape
    image = read_file(sample.image)
    orientation = orientation_of(image)
    across = orientation >= 5 and height != width  # the label map's size has told that it is too
    return CountedSample(
        id=sample.id,
        image=content_of(image),
        labels=content_of(read_file(sample.labels)),
        orientation=1 if across else orientation,
        pixels=truth.size,
        ignored=int(np.count_nonzero(truth == IGNORED)),
        tokens_kept=tokens_kept,
    )


def _subject(runner: Runner, dataset: Dataset, stride: int | None) -> Subject:
    if not runner.manifest.payload_sha256:
        raise InputError(
            "state: expected an artifact's file to keep counts of, got a model in memory",
            "leave the state out, or build the artifact",
        )
    return Subject(
        artifact=runner.manifest.payload_sha256,
        dataset=dataset.name,
        classes=len(dataset.classes),
        device=str(runner.device),
        stride=stride,
        mpm_deploy=mpm_deploy.__version__,
        torch=torch.__version__,
    )


def _sum_up(
    artifact: ArtifactInfo,
    names: Sequence[str],
    dataset: Dataset,
    tally: Tally,
    stride: int | None,
    skipped: tuple[SkippedImage, ...],
) -> Evaluation:
    counts, samples = tally.counts, list(tally.samples.values())
    iou, accuracy = class_iou(counts), class_accuracy(counts)
    boundaries = boundary_f_score(tally.boundaries)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Evaluation(
        schema=SCHEMA,
        created_by=CreatedBy(mpm_deploy.__version__, torch.__version__, created),
        artifact=artifact,
        dataset=DatasetInfo.of(dataset),
        images=len(samples),
        stride=stride,
        mean_iou=_known(mean_of_known(iou)),
        mean_class_accuracy=_known(mean_of_known(accuracy)),
        pixel_accuracy=_known(pixel_accuracy(counts)),
        boundary_f_score=_known(mean_of_known(boundaries)),
        tokens_kept=_means([sample.tokens_kept for sample in samples]),
        per_class=_per_class(dataset, iou, accuracy, boundaries, counts.sum(axis=1)),
        skipped=skipped,
        ignored_pixels=sum(sample.ignored for sample in samples),
        doubts=doubts_of(names, dataset, tally),
    )


def _per_class(
    dataset: Dataset, iou: PerClass, accuracy: PerClass, boundaries: PerClass, pixels: Counts
) -> tuple[ClassAccuracy, ...]:
    columns = (column.tolist() for column in (iou, accuracy, boundaries, pixels))
    return tuple(
        ClassAccuracy(name, _known(iou), _known(accuracy), _known(score), pixels)
        for name, iou, accuracy, score, pixels in zip(dataset.classes, *columns, strict=True)
    )


def _means(rows: Sequence[tuple[int, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def _known(share: float) -> float | None:
    return None if math.isnan(share) else share
