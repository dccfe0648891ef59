"""Says in the page's first line what was found: how fast merging makes it, and what that costs.

Nothing is claimed that the turns do not bear out: a batch size counts as faster, or as slower, only
where the ratios of all its turns lie on that side of 1, as in the verdict of a report.
"""

from collections.abc import Callable, Iterable, Sequence

from mpm_deploy.measure.accuracy.evaluate import Evaluation
from mpm_deploy.measure.speed.report import ArtifactInfo, Comparison, Ratio, Report
from mpm_deploy.show.page.datasets import dataset_names


def finding(reports: Sequence[Report], evaluations: Sequence[Evaluation]) -> str:
    """Return the sentence, from the end-to-end FPS of every report and batch size.

    Args:
        reports: Those of comparisons count; where there is none, the FPS of all.
        evaluations: Where the two artifacts of a comparison were evaluated on the same images, the
            accuracy lost is said too.
    """
    compared = [(report.artifact, report.comparison) for report in reports if report.comparison]
    ratios = [ratio for _, both in compared for ratio in both.results]
    if not ratios:
        return _speed(reports)
    speed = _comparison(_Words.of(compared), ratios)
    costs = _costs(compared, evaluations)
    return f"{speed}{costs}."


class _Words:
    """How to say what is faster than what."""

    def __init__(self, faster: str, slower: str, same: str, mixed: str) -> None:
        self.faster, self.slower, self.same, self.mixed = faster, slower, same, mixed

    @classmethod
    def of(cls, compared: Sequence[tuple[ArtifactInfo, Comparison]]) -> "_Words":
        if all(_merges(artifact, both.against) for artifact, both in compared):
            models = (
                "this model" if len({own.model for own, _ in compared}) == 1 else "these models"
            )
            return cls(
                f"Merging makes {models} {{}} times as fast here",
                f"Merging makes {models} slower here, {{}} times as fast",
                f"Merging makes no difference to the speed of {models} here that can be told",
                "Whether merging pays depends here",
            )
        one = _as_text(artifact.path for artifact, _ in compared)
        other = _as_text(both.against.path for _, both in compared)
        return cls(
            f"{one}: {{}} times as fast as {other} here",
            f"{one}: slower than {other} here, {{}} times as fast",
            f"{one}: no difference from {other} here that can be told",
            f"{one}: whether it is faster than {other} depends here",
        )


def _as_text(paths: Iterable[str]) -> str:
    """Join paths, for a template: braces in them are no places to fill."""
    return " and ".join(dict.fromkeys(paths)).replace("{", "{{").replace("}", "}}")


def _comparison(words: _Words, ratios: Sequence[Ratio]) -> str:
    spreads = [ratio.end_to_end_fps_ratio for ratio in ratios]
    medians = [spread.median for spread in spreads]
    least, most = min(spread.min for spread in spreads), max(spread.max for spread in spreads)
    turns = f"{least:.2f} to {most:.2f}"
    if any(ratio.repeats < 2 for ratio in ratios):
        figures = turns if least < most else f"{least:.2f}"
        return f"Measured in one turn each, which decides nothing: {figures} times as fast"
    if all(spread.min > 1 for spread in spreads):
        return f"{words.faster.format(_times(medians))} ({turns})"
    if all(spread.max < 1 for spread in spreads):
        return f"{words.slower.format(_times(medians))} ({turns})"
    decided = any(spread.min > 1 or spread.max < 1 for spread in spreads)
    claim = (words.mixed if decided else words.same).format()
    return f"{claim}: {turns} times as fast"


def _costs(
    compared: Sequence[tuple[ArtifactInfo, Comparison]], evaluations: Sequence[Evaluation]
) -> str:
    """Say what is lost of mIoU, the most of all comparisons on each data set; empty where that is
    not known.
    """
    names, lost = dataset_names(evaluations), dict[str, float]()
    for artifact, both in compared:
        for other in evaluations:
            for own in evaluations:
                if _are_of(own, other, artifact, both.against):
                    points = 100 * ((other.mean_iou or 0.0) - (own.mean_iou or 0.0))
                    name = names[own.dataset]
                    lost[name] = max(points, lost.get(name, points))
    if not lost:
        return ""
    parts = [
        _points(points) + (f" on {name}" if len(lost) > 1 else "") for name, points in lost.items()
    ]
    return f", and it {' and '.join(parts)}"


def _are_of(own: Evaluation, other: Evaluation, one: ArtifactInfo, against: ArtifactInfo) -> bool:
    """Tell whether these evaluations are of these two artifacts, on the same images."""
    hashes = own.artifact.payload_sha256, other.artifact.payload_sha256
    same = own.dataset == other.dataset and own.images == other.images
    known = own.mean_iou is not None and other.mean_iou is not None
    return same and known and hashes == (one.payload_sha256, against.payload_sha256)


def _points(lost: float) -> str:
    if abs(lost) < 0.005:
        return "costs no mIoU"
    return f"{'costs' if lost > 0 else 'gains'} {_short(abs(lost), 0.05)} points of mIoU"


def _speed(reports: Sequence[Report]) -> str:
    rates = [result.end_to_end_fps for report in reports for result in report.results]
    if not rates:
        return "What was measured here"
    models = "This model labels" if len({r.artifact.model for r in reports}) == 1 else "They label"
    return (
        f"{models} {_range(rates, lambda rate: f'{rate:#.3g}'.rstrip('.'))} images a second here."
    )


def _times(medians: Sequence[float]) -> str:
    return _range(medians, lambda ratio: _short(ratio, 0.05, about=1.0))


def _range(values: Sequence[float], write: Callable[[float], str]) -> str:
    least, most = write(min(values)), write(max(values))
    return least if least == most else f"{least} to {most}"


def _short(value: float, near: float, about: float = 0.0) -> str:
    """Write one digit after the point, or two where one would say that it is ``about``."""
    return f"{value:.2f}" if abs(value - about) < near else f"{value:.1f}"


def _merges(artifact: ArtifactInfo, against: ArtifactInfo) -> bool:
    return bool(artifact.merge.blocks) and not against.merge.blocks
