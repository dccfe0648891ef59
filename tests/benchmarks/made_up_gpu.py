"""A GPU's record that nothing measured, with figures that a test can work out by hand."""

from dataclasses import replace

from benchmarks.bench.agreement import Agreement
from benchmarks.gpu.record import GpuRecord
from benchmarks.gpu.results import Ceilings, Kernel, MergeMemory, PartResult, Profile, Stages
from benchmarks.gpu.rows import SUBJECTS
from mpm_deploy.artifact import Flops, MergeInfo, StageFlops
from mpm_deploy.measure.speed.report import Comparison, Ratio, Report, Spread, TokensKept
from tests.measure.speed.test_report import FULL, MEASURED, MERGED
from tests.measure.speed.test_report import HOST as REPORT_HOST

ROW = "seg_l16_mask-512-bfloat16"
NO_TOKENS = TokensKept((), (), ())


def report(batch_size: int, model_fps: float, model_ratio: float, flop_ratio: float) -> Report:
    """At one batch size; end to end 0.8 of the model."""
    measured = replace(
        MEASURED,
        batch_size=batch_size,
        model_fps=model_fps,
        end_to_end_fps=0.8 * model_fps,
        tokens_kept=TokensKept((800.0, 600.0), (600, 400), (900, 700)),
    )
    against = replace(measured, model_fps=model_fps / model_ratio, tokens_kept=NO_TOKENS)
    spread = Spread(model_ratio, model_ratio, model_ratio)
    ratio = Ratio(batch_size, 3, spread, spread, flop_ratio, against)
    return Report(
        schema="mpm-report/2",
        artifact=replace(
            MERGED, merge=MergeInfo("mpm", "before_block", (2, 5), "after_decoder", {}, None)
        ),
        host=REPORT_HOST,
        results=(measured,),
        left_out=(),
        skipped=(),
        comparison=Comparison(FULL, (ratio,), ""),
    )


def part(row: str = ROW, method: str = "mpm", model_ratio: float = 1.35) -> PartResult:
    """At batch 32, 1000 images a second."""
    return PartResult(
        row=row,
        method=method,
        recipe=SUBJECTS[row].recipe(method, "random").to_dict(),
        weights="trained",
        parameters=1_000_000,
        patches=1024,
        # At 1024, 800 and 600 tokens: 100e9 + 102.4e9 + 80e9 + 60e9, and 1.2e9 of 600 squared.
        flops=Flops(
            100e9, (StageFlops(1e8, 0.0), StageFlops(1e8, 0.0), StageFlops(1e8, 1e9 / 3e5))
        ),
        full_token_flops=Flops(0.0, (StageFlops(0.0, 4e11 / 1024**2),)),
        labels_agree=0.999,
        parity=Agreement(512, 512, 1.0),
        cpp=report(32, 1000.0, model_ratio, 1.5),
        python=report(32, 990.0, model_ratio, 1.5),
        profiles=(
            Profile(
                32,
                (
                    Kernel("flash_fwd_splitkv_kernel", 26, 9.5),
                    Kernel("nvjet_tst_128x256", 100, 20.0),
                    Kernel("_search", 2, 0.5),
                    Kernel("triton_poi_fused_gelu", 24, 2.0),
                ),
            ),
        ),
        stages=Stages(32, 40.0, (0.5, 0.25), 0.25) if method == "mpm" else None,
        commit="0" * 12,
    )


PART = part()
RECORD = GpuRecord(
    gpu="NVIDIA H100 80GB HBM3",
    driver="570",
    ceilings=Ceilings(2000.0, {"bfloat16": 500.0, "float32": 50.0}),
    merge_memory=MergeMemory(16384, 768, "bfloat16", 24.0, 30.0),
)
