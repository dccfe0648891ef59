"""The GPU benchmark: all of it on a CPU, on a small model; and the sums it does."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks import h100
from benchmarks.gpu import prepare, stages
from benchmarks.gpu.results import Ceilings, GpuRecord, Kernel, MergeMemory, PartResult, Stages
from benchmarks.gpu.subjects import SUBJECTS, Subject
from benchmarks.gpu.tables import kernels_table, notes, speed_table, stages_table
from benchmarks.gpu.targets import verdicts
from benchmarks.paper import paper_row
from mpm_deploy.build import build
from mpm_deploy.measure.report import Comparison, Ratio, Report, Spread
from mpm_deploy.recipe import Recipe
from mpm_deploy.structure import to_mapping
from tests.conftest import small_recipe
from tests.measure.test_report import FULL, MEASURED, MERGED
from tests.measure.test_report import HOST as REPORT_HOST
from tests.parity.conftest import CPP_RUNNER


class SmallSubject(Subject):
    """A model that builds in seconds, on a CPU."""

    def recipe(self, dtype: str, weights: str) -> Recipe:
        return small_recipe()


def report(batch_size: int, model_fps: float, model_ratio: float, flop_ratio: float) -> Report:
    """At one batch size; end to end 0.8 of the model."""
    measured = replace(
        MEASURED, batch_size=batch_size, model_fps=model_fps, end_to_end_fps=0.8 * model_fps
    )
    spread = Spread(model_ratio, model_ratio, model_ratio)
    ratio = Ratio(batch_size, 3, spread, spread, flop_ratio, MEASURED)
    return Report(
        schema="mpm-report/1",
        artifact=MERGED,
        host=REPORT_HOST,
        results=(measured,),
        left_out=(),
        skipped=(),
        comparison=Comparison(FULL, (ratio,), ""),
    )


PART = PartResult(
    model="seg_l16_mask",
    dtype="bfloat16",
    weights="random",
    patches=1024,
    labels_agree=0.999,
    cpp=report(32, 1000.0, 1.35, 1.5),
    python=report(32, 990.0, 1.35, 1.5),
    before_decoder=report(32, 990.0, 1.1, 1.1),
    stages=Stages(batch_size=32, forward=40.0, merges=(0.5, 0.25), reconstruction=0.25),
    kernels=(Kernel("flash_fwd_splitkv_kernel", 26, 9.5),),
    commit="0" * 12,
)
RECORD = GpuRecord(
    gpu="NVIDIA H100 80GB HBM3",
    driver="570",
    ceilings=Ceilings(3000.0, {"bfloat16": 700.0}),
    merge_memory=MergeMemory(16384, 768, "bfloat16", 24.0, 30.0),
)


def test_the_papers_rows() -> None:
    base = paper_row("ViT-B/16", "bfloat16")
    assert (base.full_token_fps, base.merged_fps) == (735, 780)
    for subject in SUBJECTS.values():
        for dtype, name in subject.paper.items():
            assert paper_row(name, dtype).ratio > 1


def test_targets_are_met_and_missed() -> None:
    reached = {verdict.target: (verdict.reached.median, verdict.met) for verdict in verdicts(PART)}
    prefix = "seg_l16_mask bfloat16: "
    assert reached == {
        prefix + "model FPS at batch 32": (1000.0, True),
        prefix + "model FPS over full-token, of 0.9 × FLOP ratio 1.50": (1.35, True),
        prefix + "end-to-end FPS over model FPS": (0.8, False),
        prefix + "merging and reconstruction of the forward, at most": (0.025, True),
    }


def test_a_tiny_model_must_never_be_slower() -> None:
    tiny = replace(PART, model="seg_t16_mask", cpp=report(32, 100.0, 0.99, 1.5))
    slower = [verdict for verdict in verdicts(tiny) if verdict.wanted == 1.0]
    assert [verdict.met for verdict in slower] == [False]


def test_a_record_comes_back_from_its_file() -> None:
    record = h100.with_part(RECORD, PART)
    data = json.loads(json.dumps({**to_mapping(record), "date": "of write_result"}))
    assert h100.read_record(data) == record


def test_a_part_takes_the_place_of_an_older_one() -> None:
    other = replace(PART, model="seg_b16_mask")
    record = h100.with_part(h100.with_part(RECORD, PART), other)
    newer = replace(PART, weights="trained")
    assert h100.with_part(record, newer).parts == (other, newer)


def test_the_file_is_named_after_the_gpu() -> None:
    assert h100.name_of(RECORD) == "h100-nvidia-h100-80gb-hbm3"


def test_tables_say_what_the_paper_had() -> None:
    record = h100.with_part(RECORD, PART)
    console = Console(width=200, file=io.StringIO(), record=True)
    for table in (speed_table(record.parts), stages_table(record.parts), kernels_table(PART)):
        console.print(table)
    for note in notes(record):
        console.print(note)
    text = console.export_text()
    for expected in ("375", "456", "1.22", "0.50 + 0.25", "2.5%", "flash_fwd", "3000 GB/s"):
        assert expected in text


@pytest.mark.slow
def test_a_part_is_measured(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, with both programs."""
    if not CPP_RUNNER.exists():
        pytest.skip(f"{CPP_RUNNER} is not built: make cpp")
    monkeypatch.setattr(h100, "BATCH_SIZES", (1, 2))
    monkeypatch.setattr(h100, "CPP_RUNNER", CPP_RUNNER)
    monkeypatch.setattr(stages, "_REPEATS", 2)
    monkeypatch.setattr(prepare, "built", lambda r, name: build(r, tmp_path / f"{name}.pt"))
    subject = SmallSubject("seg_t16_mask", {}, {}, {}, 0.0)
    part = h100.Part(subject, "float32", "random", image_folder, repeats=1).measure()
    assert [result.batch_size for result in part.cpp.results] == [1, 2]
    assert part.cpp.results[0].tokens_kept == part.python.results[0].tokens_kept
    assert [result.batch_size for result in part.before_decoder.results] == [2]
    assert (part.weights, part.patches) == ("random", 24)
    assert len(part.stages.merges) == 2 and part.stages.share > 0
    assert part.kernels[0].milliseconds >= part.kernels[-1].milliseconds


def test_ceilings_and_memory_are_of_this_device() -> None:
    cpu = torch.device("cpu")
    ceilings = stages.measure_ceilings(cpu, side=64, size=1 << 16)
    assert ceilings.copy_gb_per_s > 0
    assert ceilings.matrix_tflops.keys() == {"bfloat16", "float32"}
    assert stages.measure_merge_memory(cpu, tokens=64).tokens_mib == 64 * 768 * 2 / (1 << 20)
