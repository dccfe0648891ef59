"""Rows of sweeps and reports that a test can work out by hand."""

from mpm_deploy.artifact import CreatedBy, MergeInfo
from mpm_deploy.measure.accuracy.evaluate import DatasetInfo
from mpm_deploy.measure.search.settings import Settings
from mpm_deploy.measure.search.sweep import (
    SCHEMA,
    Accuracy,
    Speed,
    Subject,
    Sweep,
    SweepRow,
)
from mpm_deploy.measure.search.variants import name_of
from mpm_deploy.measure.speed.report import (
    ArtifactInfo,
    Comparison,
    HostInfo,
    Measurement,
    Percentiles,
    Ratio,
    Report,
    Spread,
    TokensKept,
)
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.run.results import StageTimes

HOST = HostInfo("python", "a CPU", 2, 2, None, "Linux", "2", "3", "0", "2026-01-01T00:00:00Z")
FULL_TOKEN = Recipe("any").full_token().merge


def row(merge: MergeRecipe, mean_iou: float, ratio: float) -> SweepRow:
    """As if it had been measured."""
    same = Spread(ratio, ratio, ratio)
    tokens = TokensKept((9.0,) * len(merge.blocks), (), ())
    speed = Speed(8, 10 * ratio, 11 * ratio, same, same, ratio, 24 / ratio, tokens)
    return SweepRow(
        name_of(merge), merge, "0" * 64, Accuracy(8, mean_iou, mean_iou, mean_iou / 2), speed
    )


def sweep(*rows: SweepRow, mean_iou: float = 0.8) -> Sweep:
    """Of such rows, and of a full-token one."""
    return Sweep(
        schema=SCHEMA,
        created_by=CreatedBy("0", "2", "2026-01-01T00:00:00Z"),
        host=HOST,
        subject=Subject(
            recipe={},
            weights=None,
            dataset=DatasetInfo("folder", "data", 8, 7),
            samples="0" * 64,
            truth="labels",
            settings=Settings(),
            torch="2",
        ),
        full_token=row(FULL_TOKEN, mean_iou, 1.0),
        rows=rows,
    )


def report(end_to_end_fps: float, against: float | None) -> Report:
    """A bench's, at batch 1."""
    info = ArtifactInfo(
        *("a.pt", "toy", "torchscript", "cpu", "float32", "random"),
        MergeInfo("mpm", "before_block", (0,), "after_decoder", {}, None),
        "0" * 64,
    )
    measured = _measurement(end_to_end_fps)
    comparison = None
    if against is not None:
        ratio = end_to_end_fps / against
        spread = Spread(ratio, ratio, ratio)
        ratios = (Ratio(1, 3, spread, spread, ratio, _measurement(against)),)
        comparison = Comparison(info, ratios, "so it is")
    return Report("mpm-report/2", info, HOST, (measured,), (), (), comparison)


def _measurement(fps: float) -> Measurement:
    return Measurement(
        batch_size=1,
        images=5,
        warmup_images=20,
        end_to_end_fps=fps,
        model_fps=fps,
        latency_ms=Percentiles(1.0, 1.0, None),
        stages_ms=StageTimes(1.0, 1.0, 1.0, 1.0, 1.0),
        tokens_kept=TokensKept((9.0,), (9,), (9,)),
        gflops=24 / fps,
        gflops_full_token=24.0,
    )
