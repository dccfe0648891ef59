"""Makes the tiles below the page's first line: the figures that it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpm_deploy.measure.speed.report import Report
from mpm_deploy.show.page.accuracy import Accuracy, mean_iou_change


@dataclass(frozen=True)
class Tile:
    """A figure, and what it stands for."""

    figure: str
    text: str


def tiles(
    reports: Sequence[Report], accuracy: Sequence[Accuracy], patches: dict[str, int]
) -> list[Tile]:
    """Return the ranges of the figures over all reports and batch sizes; nothing is picked out."""
    found = []
    ratios = [r for report in reports if report.comparison for r in report.comparison.results]
    for name, values in (
        ("end to end", [r.end_to_end_fps_ratio.median for r in ratios]),
        ("model alone", [r.model_fps_ratio.median for r in ratios]),
        ("if every FLOP cost the same", [r.flop_ratio for r in ratios]),
    ):
        if values:
            found.append(Tile(f"× {_range(values, 2)}", name))
    found += _tokens(reports, patches)
    for section in accuracy:
        change = mean_iou_change(section)
        if change is not None:
            found.append(Tile(signed(change), f"points of mIoU on {section.dataset}"))
    return found


def signed(value: float) -> str:
    """Write a number with its sign; the minus is as wide as the plus."""
    return f"{value:+.2f}".replace("-", "−")


def _tokens(reports: Sequence[Report], patches: dict[str, int]) -> list[Tile]:
    means = [row.tokens_kept.mean[-1] for r in reports for row in r.results if row.tokens_kept.mean]
    if not means:
        return []
    known = {patches.get(report.artifact.payload_sha256) for report in reports}
    full = known.pop() if len(known) == 1 else None
    return [Tile(_range(means, 0), f"of {full} tokens kept" if full else "tokens kept")]


def _range(values: Sequence[float], digits: int) -> str:
    least, most = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return least if least == most else f"{least} – {most}"
