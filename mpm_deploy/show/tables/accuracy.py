"""Makes tables and sentences on accuracy: an evaluation's results, and where accuracy is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mpm_deploy.show.tables.style import new_table, percent, tokens

if TYPE_CHECKING:
    from mpm_deploy.measure.accuracy.evaluate import Evaluation
    from mpm_deploy.measure.accuracy.loss import ZoneLoss


def evaluation_table(evaluation: Evaluation) -> Table:
    """Make a table with one row per class, the means and the sum below; shares are in percent."""
    table = new_table("class", "IoU", "accuracy", "boundary F", "pixels", justify="right")
    table.columns[0].justify = "left"
    for row in evaluation.per_class:
        shares = (row.iou, row.accuracy, row.boundary_f_score)
        table.add_row(Text(row.name), *map(percent, shares), f"{row.pixels:,}")
    table.add_section()
    means = (evaluation.mean_iou, evaluation.mean_class_accuracy, evaluation.boundary_f_score)
    pixels = sum(row.pixels for row in evaluation.per_class)
    table.add_row("all", *map(percent, means), f"{pixels:,}", style="bold")
    if evaluation.ignored_pixels:
        table.add_row("do not count", "", "", "", f"{evaluation.ignored_pixels:,}")
    return table


def evaluation_summary(evaluation: Evaluation) -> str:
    """Say in one sentence the figures by which evaluations are compared."""
    artifact, dataset = evaluation.artifact, evaluation.dataset
    images = str(evaluation.images)
    if evaluation.images < dataset.images:
        images += f" of {dataset.images}"
    return (
        f"{artifact.path} on {dataset.name}, {images} images: "
        f"mIoU {percent(evaluation.mean_iou)}, "
        f"mean class accuracy {percent(evaluation.mean_class_accuracy)}, "
        f"pixel accuracy {percent(evaluation.pixel_accuracy)}, "
        f"boundary F-score {percent(evaluation.boundary_f_score)}, "
        f"tokens kept {tokens(evaluation.tokens_kept)}."
    )


def loss_summary(zones: Sequence[ZoneLoss]) -> str:
    """Say in one sentence where accuracy is lost."""
    pixels, lost, won = (sum(getattr(z, part) for z in zones) for part in ("pixels", "lost", "won"))
    if not pixels:
        return "no pixel of the true label maps counts: none can be lost"
    where = ", ".join(
        f"{zone.name} {zone.lost / max(lost, 1):.0%} ({zone.pixels / max(pixels, 1):.0%} of all)"
        for zone in zones
    )
    return (
        f"{lost / max(pixels, 1):.2%} of the pixels are lost against the other artifact, "
        f"{won / max(pixels, 1):.2%} won; of the lost ones: {where}"
    )
