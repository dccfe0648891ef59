"""Makes the page's section on accuracy: evaluations beside one another, and against speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpm_deploy.measure.accuracy.evaluate import Evaluation
from mpm_deploy.measure.speed.report import ArtifactInfo, Report
from mpm_deploy.show.charts import Line, Point, scatter_chart
from mpm_deploy.show.page.artifacts import Naming, what
from mpm_deploy.show.page.datasets import dataset_names
from mpm_deploy.show.page.speed import PROGRAMS, Chart, rows


@dataclass(frozen=True)
class Column:
    """The head of a column, which stands for an evaluation."""

    name: str
    color: str


@dataclass(frozen=True)
class Row:
    """A row of the table: the percentage of each evaluation, and the last minus the first."""

    name: str
    values: tuple[float | None, ...]
    change: float | None


@dataclass(frozen=True)
class Accuracy:
    """The section on one data set: all its evaluations, a full-token model's first
    where there is one.
    """

    dataset: str
    columns: tuple[Column, ...]
    means: tuple[Row, ...]
    classes: tuple[Row, ...]
    chart: Chart | None
    notes: tuple[str, ...]

    @property
    def has_change(self) -> bool:
        """True where there are exactly two columns: only then is it clear which to subtract."""
        return len(self.columns) == 2


def accuracy_sections(
    evaluations: Sequence[Evaluation], reports: Sequence[Report], naming: Naming
) -> list[Accuracy]:
    """Make one section per data set, in the order they are met."""
    return [
        _section(name, [e for e in evaluations if e.dataset == dataset], reports, naming)
        for dataset, name in dataset_names(evaluations).items()
    ]


def mean_iou_change(accuracy: Accuracy) -> float | None:
    """Return by how many percentage points of mIoU the second column is above the first, None
    unless there are two.
    """
    return accuracy.means[0].change if accuracy.has_change else None


def _section(
    dataset: str, evaluations: list[Evaluation], reports: Sequence[Report], naming: Naming
) -> Accuracy:
    ordered = sorted(evaluations, key=lambda e: len(e.artifact.merge.blocks) > 0)
    names = list(dict.fromkeys(row.name for e in ordered for row in e.per_class))
    iou = [{row.name: row.iou for row in e.per_class} for e in ordered]
    return Accuracy(
        dataset=dataset,
        columns=tuple(Column(naming.name(e.artifact), naming.color(e.artifact)) for e in ordered),
        means=(
            _row("mIoU", [e.mean_iou for e in ordered]),
            _row("class accuracy", [e.mean_class_accuracy for e in ordered]),
            _row("pixel accuracy", [e.pixel_accuracy for e in ordered]),
        ),
        classes=tuple(_row(name, [each.get(name) for each in iou]) for name in names),
        chart=_chart(ordered, reports, naming),
        notes=tuple(_notes(ordered, reports, naming)),
    )


def _row(name: str, shares: Sequence[float | None]) -> Row:
    values = tuple(None if share is None else 100 * share for share in shares)
    first, last = values[0], values[-1]
    change = None if first is None or last is None or len(values) != 2 else last - first
    return Row(name, values, change)


def _chart(
    evaluations: Sequence[Evaluation], reports: Sequence[Report], naming: Naming
) -> Chart | None:
    series: dict[str, list[Point]] = {}
    legend = {}
    for artifact, point in _points(evaluations, reports, naming):
        series.setdefault(artifact.payload_sha256, []).append(point)
        legend[point.color] = f"{naming.name(artifact)}: {what(artifact)}"
    if not series:
        return None
    svg = scatter_chart(
        [point for points in series.values() for point in points],
        "end-to-end FPS",
        "mIoU, %",
        name="accuracy against speed",
        lines=[Line(tuple(points), points[0].color) for points in series.values()],
        legend=legend,
    )
    hint = "a point for each program and batch size; up and to the right is better"
    return Chart("Accuracy against speed", hint, svg)


def _points(
    evaluations: Sequence[Evaluation], reports: Sequence[Report], naming: Naming
) -> Iterator[tuple[ArtifactInfo, Point]]:
    known = {e.artifact.payload_sha256: e.mean_iou for e in evaluations}
    timed = (
        (report, batch, *row) for report in reports for batch, both in rows(report) for row in both
    )
    for report, batch, artifact, row in timed:
        mean_iou = known.get(artifact.payload_sha256)
        if mean_iou is None:
            continue
        fps, percent = row.end_to_end_fps, 100 * mean_iou
        program = PROGRAMS.get(report.host.program, report.host.program)
        title = (
            f"{naming.name(artifact)}, {program}, batch {batch}: {fps:.1f} FPS, mIoU {percent:.2f}"
        )
        yield artifact, Point(fps, percent, title, naming.color(artifact))


def _notes(
    evaluations: Sequence[Evaluation], reports: Sequence[Report], naming: Naming
) -> list[str]:
    notes = []
    timed = {a.payload_sha256 for r in reports for _, both in rows(r) for a, _ in both}
    for evaluation in evaluations:
        name, images = naming.name(evaluation.artifact), evaluation.dataset.images
        if evaluation.images < images:
            notes.append(f"{name}: {evaluation.images} of {images} images.")
        if evaluation.skipped:
            notes.append(f"{name}: {len(evaluation.skipped)} images could not be used.")
        notes += [f"{name}: {doubt}." for doubt in evaluation.doubts]
        if reports and evaluation.artifact.payload_sha256 not in timed:
            notes.append(f"{name}: no report times this very file, so it is in no plot.")
    return notes
