"""What a precision costs, from rows that were made up."""

from benchmarks import precisions
from benchmarks.bench.tables import as_text
from benchmarks.peers.models import judged_images, judged_scenes


def row(precision: str, tokens: str, mean_iou: float) -> precisions.Row:
    return {
        "precision": precision,
        "tokens": tokens,
        "images": 48,
        "tokens_kept": (760.0, 587.0),
        "mean_iou": mean_iou,
        "class_iou": {"sky": 0.9, "bus": None},
    }


def test_what_is_lost_is_held_against_float32_by_the_same_schedule() -> None:
    rows = [
        *(row("float32", "full-token", 0.70), row("int8", "full-token", 0.69)),
        *(row("float32", "merged", 0.65), row("int8", "merged", 0.6525)),
    ]
    head, _, *lines = as_text(precisions.precisions_table(rows)).splitlines()
    assert head.split()[-4:] == ["mIoU", "lost", "sky", "bus"]
    assert [line.split()[-4:] for line in lines if line] == [
        ["70.00", "0.00", "90.00", "–"],
        ["69.00", "1.00", "90.00", "–"],
        ["65.00", "0.00", "90.00", "–"],
        ["65.25", "-0.25", "90.00", "–"],
    ]


def test_only_scenes_that_calibrate_nothing_are_judged() -> None:
    assert [sample.image for sample in judged_scenes()] == judged_images()
