import json
from dataclasses import replace

import numpy as np
import pytest

from mpm_deploy.artifact import MergeInfo
from mpm_deploy.measure.speed.report import (
    SCHEMA,
    ArtifactInfo,
    Comparison,
    HostInfo,
    LeftOut,
    Measurement,
    Percentiles,
    Ratio,
    Report,
    SkippedImage,
    Spread,
    TokensKept,
    write_verdict,
)
from mpm_deploy.run.results import StageTimes
from mpm_deploy.show.tables import comparison_table
from tests.support.toy import MANIFEST

MERGED = ArtifactInfo.of("merged.pt", MANIFEST)
FULL = replace(
    MERGED, path="full.pt", merge=MergeInfo("mpm", "before_block", (), "after_decoder", {}, None)
)
HOST = HostInfo("python", "cpu", 2, 2, None, "Linux", "2", "3.11", "0", "2026-01-01T00:00:00Z")
MEASURED = Measurement(
    batch_size=2,
    images=64,
    warmup_images=20,
    end_to_end_fps=10.0,
    model_fps=12.0,
    latency_ms=Percentiles(80.0, 90.0, None),
    stages_ms=StageTimes(1.0, 2.0, 3.0, 4.0, 5.0),
    tokens_kept=TokensKept((700.5, 500.25), (600, 400), (800, 600)),
    gflops=5.0,
    gflops_full_token=8.0,
)


def ratio(batch_size: int, *end_to_end: float) -> Ratio:
    return Ratio(batch_size, 3, Spread(1.5, 1.4, 1.6), Spread(*end_to_end), 1.6, MEASURED)


def test_percentiles_are_linear_between_samples() -> None:
    assert Percentiles.of([1.0, 2.0]) == Percentiles(1.5, 1.9, None)
    shuffled = np.random.default_rng(0).permutation(np.arange(101.0))
    assert Percentiles.of(shuffled.tolist()) == Percentiles(50.0, 90.0, 99.0)


def test_p99_needs_a_hundred_samples() -> None:
    assert Percentiles.of([1.0] * 99).p99 is None
    assert Percentiles.of([1.0] * 100).p99 == 1.0


def test_spread() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


@pytest.mark.parametrize(
    ("ratios", "begins"),
    [
        ([ratio(1, 1.4, 1.3, 1.5), ratio(2, 1.4, 1.3, 1.5)], "Merging pays here:"),
        ([ratio(1, 1.4, 1.3, 1.5), ratio(2, 1.0, 0.9, 1.5)], "Merging pays here at batch 1 only:"),
        ([ratio(1, 0.8, 0.7, 0.9)], "Merging does not pay here:"),
        ([ratio(1, 1.1, 0.9, 1.2)], "Merging makes no difference here that these repeats can"),
    ],
)
def test_verdict_counts_only_what_lies_clear_of_one(ratios: list[Ratio], begins: str) -> None:
    assert write_verdict(MERGED, FULL, ratios).startswith(begins)


def test_verdict_gives_the_figures() -> None:
    assert write_verdict(MERGED, FULL, [ratio(8, 1.25, 1.125, 1.5)]) == (
        "Merging pays here: batch 8 end to end × 1.25 (1.12 to 1.50), "
        "model × 1.50 where FLOPs allow × 1.60."
    )


def test_of_one_turn_there_is_no_verdict_and_no_spread() -> None:
    once = replace(ratio(8, 1.25, 1.25, 1.25), repeats=1)
    assert write_verdict(MERGED, FULL, [once]) == (
        "One turn each decides nothing: batch 8 end to end × 1.25, "
        "model × 1.50 where FLOPs allow × 1.60."
    )
    told = [comparison_table([replace(once, repeats=turns)]).columns[3].cells for turns in (1, 2)]
    assert [[*cells] for cells in told] == [["1.25"], ["1.25 (1.25 – 1.25)"]]


def test_verdict_on_two_of_a_kind_names_the_artifact() -> None:
    assert write_verdict(FULL, MERGED, [ratio(1, 0.8, 0.7, 0.9)]).startswith("full.pt does not")


def test_report_is_json_as_written_down() -> None:
    comparison = Comparison(FULL, (ratio(2, 1.4, 1.3, 1.5),), "Merging pays here.")
    left_out = (LeftOut(32, "needs more"),)
    skipped = (SkippedImage("a.png", "the file is empty"),)
    report = Report(SCHEMA, MERGED, HOST, (MEASURED,), left_out, skipped, comparison)
    written = json.loads(json.dumps(report.to_dict()))
    assert written["schema"] == "mpm-report/2"
    assert written["artifact"]["merge"]["blocks"] == [0]
    assert written["results"][0]["latency_ms"] == {"p50": 80.0, "p90": 90.0, "p99": None}
    assert written["results"][0]["tokens_kept"]["mean"] == [700.5, 500.25]
    assert written["comparison"]["results"][0]["against"]["gflops"] == 5.0
    assert written["comparison"]["results"][0]["model_fps_ratio"]["min"] == 1.4
    assert written["left_out"] == [{"batch_size": 32, "reason": "needs more"}]
    assert written["skipped"] == [{"path": "a.png", "reason": "the file is empty"}]
