"""The arithmetic floor, from figures that were made up."""

import pytest

from benchmarks.gpu.floors import (
    Floor,
    Gap,
    as_markdown,
    floor_of,
    gaps,
    kind_of,
    kinds,
    predict,
)
from benchmarks.gpu.results import Ceilings
from benchmarks.gpu.rows import SUBJECTS
from benchmarks.record import ROOT
from mpm_deploy.artifact import Flops, StageFlops
from tests.benchmarks.made_up_gpu import PART, RECORD, part

BASE = SUBJECTS["seg_b16_linear-512-float32"].recipe("mpm", "random")
UNITS = Ceilings(1e-6, {"float32": 1e-9})  # a FLOP and a byte a millisecond


def test_the_floor_is_the_slower_of_operations_and_bytes() -> None:
    assert Floor(products=1.5, pairs=0.5, bytes=1.0, activations=9.0).least == 2.0
    assert Floor(products=1.0, pairs=0.0, bytes=3.0, activations=9.0).least == 3.0


def test_the_work_of_a_batch() -> None:
    flops = Flops(5.0, (StageFlops(1.0, 0.0), StageFlops(2.0, 0.0), StageFlops(3.0, 0.5)))
    floor = floor_of(BASE, flops, 1000, kept=(100.0, 10.0), batch_size=2, ceilings=UNITS)
    assert floor.products == 2 * (5 + 1024 + 200 + 30)
    assert floor.pairs == 2 * 0.5 * 100
    answer = 1024 * (150 * 4 + 2 * 4)  # scores of 150 classes, two merge maps
    assert floor.bytes == 4000 + 2 * (3 * 512 * 512 + answer)
    rows = 2 * 1025 + 3 * 101 + 7 * 11  # blocks before, between and after the merges
    assert floor.activations == 2 * 4 * 26 * 768 * rows


def test_a_mask_transformer_moves_two_blocks_more() -> None:
    flops = Flops(0.0, (StageFlops(0.0, 0.0),))
    linear = floor_of(BASE.full_token(), flops, 0, (), 1, UNITS)
    mask = BASE.override("model.name=seg_b16_mask").full_token()
    masked = floor_of(mask, flops, 0, (), 1, UNITS)
    assert masked.activations - linear.activations == 4 * 26 * 768 * 2 * (1024 + 150)


def test_gaps_are_of_merged_and_full_token() -> None:
    full, merged = gaps(PART, RECORD.ceilings)
    assert (full.method, merged.method, merged.batch_size) == ("full", "mpm", 32)
    assert merged.milliseconds == pytest.approx(32.0)
    assert full.milliseconds == pytest.approx(32.0 * 1.35)
    # 343.6 GFLOPs an image at 500 TFLOP/s
    assert merged.floor.least == pytest.approx(32 * 343.6 / 500, rel=1e-9)
    assert full.floor.least == pytest.approx(32 * 400 / 500, rel=1e-9)
    assert merged.gap == pytest.approx(32.0 - 32 * 343.6 / 500)
    assert [gap.method for gap in gaps(part(method="algm"), RECORD.ceilings)] == ["algm"]


def test_a_gap_in_floors() -> None:
    assert Gap("row", "mpm", 1, Floor(1.5, 0.5, 1.0, 0.0), milliseconds=5.0).times == 2.5


def test_kernels_are_told_apart_by_their_names() -> None:
    assert kind_of("void flash::flash_fwd_kernel<cutlass::bfloat16_t>") == "pairs"
    assert kind_of("fmha_cutlassF_f32_aligned_64x64_rf_sm80") == "pairs"
    assert kind_of("_search") == "pairs"
    assert kind_of("sm90_xmma_gemm_bf16bf16_bf16f32") == "products"
    assert kind_of("triton_tem_fused_addmm_3") == "products"
    assert kind_of("triton_per_fused_native_layer_norm_0") == "others"


def test_each_kind_stands_beside_its_floor() -> None:
    found = {kind.kind: kind for kind in kinds(PART, PART.profiles[0], RECORD.ceilings)}
    assert found["pairs"].milliseconds == 10.0 and found["pairs"].calls == 28
    assert found["products"].milliseconds == 20.0 and found["others"].milliseconds == 2.0
    assert found["pairs"].floor == pytest.approx(32 * 1.2 / 500)
    assert found["products"].floor == pytest.approx(32 * 342.4 / 500)
    assert found["others"].floor < 1.0


def test_floors_scale_with_the_ceilings() -> None:
    flops = Flops(1e9, (StageFlops(0.0, 0.0),) * 3)
    slow, fast = (
        floor_of(BASE, flops, 1000, (100.0, 10.0), 1, Ceilings(1000.0 * times, rates))
        for times, rates in ((1, {"float32": 50.0}), (2, {"float32": 100.0}))
    )
    assert slow.operations == 2 * fast.operations == pytest.approx(0.02)
    assert slow.bytes == 2 * fast.bytes


def test_a_prediction_is_of_the_whole_model() -> None:
    recipe = SUBJECTS["seg_s16_mask-512-float32"].recipe("mpm", "random")
    full, merged = predict(recipe.full_token(), 32), predict(recipe, 32)
    assert full.operations == pytest.approx(32 * 76.8 / 67, rel=0.01)  # GFLOPs over TFLOP/s
    assert 0.5 < merged.operations / full.operations < 0.8


def test_the_notes_hold_the_predictions() -> None:
    assert as_markdown() in (ROOT / "benchmarks" / "notes" / "h100.md").read_text()
