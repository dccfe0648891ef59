"""What the targets script calls met and missed."""

import pytest

from mpm_deploy.report import Measurement, Percentiles, TokensKept
from mpm_deploy.runner import StageTimes
from tests.scripts import load_script

targets = load_script("benchmarks/targets.py")


def measured(end_to_end_fps: float) -> Measurement:
    return Measurement(
        batch_size=1,
        images=32,
        warmup_images=20,
        end_to_end_fps=end_to_end_fps,
        model_fps=12.5,
        latency_ms=Percentiles(100, 110, None),
        stages_ms=StageTimes(decode=30, fit=5, copy=0, scores=80, labels=20),
        tokens_kept=TokensKept((600.0,), (500,), (700,)),
        gflops=3.0,
        gflops_full_token=6.0,
    )


def test_decoding_is_not_part_of_what_is_allowed() -> None:
    assert targets.allowed_fps(measured(9.0)) == pytest.approx(10.0)


def test_one_miss_is_a_miss() -> None:
    met = targets.Outcome("python", 1, "pipeline", 0.90, 0.90)
    missed = targets.Outcome("python", 2, "pipeline", 0.90, 0.89)
    column = targets.as_table([met, missed]).columns[-1]
    assert list(column.cells) == ["met", "missed"]
