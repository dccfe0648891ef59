"""Writes the page on both demos on the held-out street scenes, class by class."""

from pathlib import Path

from benchmarks.bench.tables import as_text, columns, indented
from benchmarks.pages.common import PAGES, Record, commits, read, records, written

PAGE = PAGES / "scenes.md"
_SEGMENTER, _EOMT, _COLOR = "demo_accuracy", "eomt_accuracy", "pixel_baseline"
_NAMES = (_SEGMENTER, _EOMT, _COLOR)
_INTRODUCTION = """# Both demos by class

IoU in percent on the {images} held-out scenes of `examples/scenes/`, full-token and with tokens
merged before the blocks that are named (`python examples/scenes/evaluate.py`). "Color alone" is a
classifier of single pixels (`python examples/scenes/pixel_baseline.py`).
"""


def pages() -> dict[Path, str]:
    """Return the page; nothing before there are all its records."""
    found = {name: read(path) for name in _NAMES for path in records(name)}
    return {PAGE: page(found)} if len(found) == len(_NAMES) else {}


def page(found: dict[str, Record]) -> str:
    """Write the page of these records, each by the name of its file."""
    color = found[_COLOR]
    alone = {**color, "class_iou": color["class_iou"][color["rule"]]}
    segmenters = {**found[_SEGMENTER]["models"], "color alone": alone}
    tables = (_table("Segmenter", segmenters), _table("EoMT", found[_EOMT]["models"]))
    versions = dict.fromkeys(record["versions"]["torch"] for record in found.values())
    by = written(f"torch {', '.join(versions)}", commits(each["commit"] for each in found.values()))
    head = _INTRODUCTION.format(images=found[_SEGMENTER]["images"])
    return "\n".join([head, *map(indented, tables), by])


def _table(title: str, models: dict[str, Record]) -> str:
    """Write a row for each class, and one for their mean; a column for each model."""
    table = columns((title,), tuple(models))
    first, *_ = models.values()
    for name in first["class_iou"]:
        table.add_row(name, *(f"{100 * model['class_iou'][name]:.1f}" for model in models.values()))
    table.add_row("mIoU", *(f"{100 * model['mean_iou']:.1f}" for model in models.values()))
    return as_text(table)
