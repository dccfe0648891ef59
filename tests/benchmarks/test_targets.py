"""The targets are computed from the right engines, round by round."""

from dataclasses import replace

import pytest

from benchmarks.cpu_peers import judged_again
from benchmarks.peers.models import Goals
from benchmarks.peers.results import EngineResult, fastest, find, ratio
from benchmarks.peers.targets import verdicts
from benchmarks.peers.variants import Variant
from tests.benchmarks.made_up import RESULT, engine, own

GOALS = Goals(over_plain=4.0, over_best_peer=2.5, of_the_ceiling=0.8)


def reached(result_engines: tuple[EngineResult, ...], word: str) -> tuple[float, float, bool]:
    """Wanted, reached and met of the one verdict that names ``word``."""
    found = verdicts(replace(RESULT, engines=result_engines), GOALS)
    (verdict,) = [verdict for verdict in found if word in verdict.target]
    return verdict.wanted, verdict.reached.median, verdict.met


def test_ours_over_plain_pytorch() -> None:
    assert reached(RESULT.engines, "plain PyTorch") == (4.0, 4.0, True)


def test_ours_over_the_fastest_full_token_peer() -> None:
    assert reached(RESULT.engines, "best peer") == (2.5, 2.0, False)
    merged = engine("OpenVINO", 100.0, merged=True)
    assert reached((*RESULT.engines, merged), "best peer") == (2.5, 2.0, False)


def faster_side_by_side(one: EngineResult, times: float) -> EngineResult:
    """Side by side it is that many times as fast."""
    return replace(one, side_by_side_fps=tuple(times * fps for fps in one.end_to_end_fps))


def test_each_engine_is_judged_by_its_best_way() -> None:
    engines = {e.name: e for e in RESULT.engines if not e.merged}
    ours = own(4.0, merged=True, gflops=10.0)
    plain, peer = engines["PyTorch eager"], engines["OpenVINO"]
    assert reached((faster_side_by_side(ours, 1.5), plain), "plain PyTorch")[1] == 6.0
    assert reached((faster_side_by_side(ours, 0.5), plain), "plain PyTorch")[1] == 4.0
    assert reached((ours, faster_side_by_side(plain, 2.0)), "plain PyTorch")[1] == 2.0
    assert reached((ours, faster_side_by_side(peer, 4.0)), "best peer")[1] == 0.5
    # Side by side another peer is the best one.
    other = engine("ONNX Runtime", 1.0, side_by_side_fps=(8.0, 16.0))
    assert reached((ours, peer, other), "over ONNX Runtime")[1] == 0.5


def test_ours_over_every_engine_that_merges_by_the_same_schedule() -> None:
    blocks = (1, 2, 5)
    ours = [
        own(4.0, merged=True, gflops=1.0),
        replace(own(6.0, merged=True, gflops=1.0), blocks=blocks),
    ]
    peers = [
        engine("OpenVINO", 2.0, merged=True),
        engine("OpenVINO", 5.0, merged=True, blocks=blocks),
        engine("ONNX Runtime", 4.0, merged=True, blocks=blocks),
        engine("PyTorch eager", 1.0, merged=True),
    ]
    found = verdicts(replace(RESULT, engines=(*ours, *peers)), GOALS)
    judged = [each for each in found if "merged graph" in each.target]
    assert [(v.wanted, v.reached.median, v.met) for v in judged] == [
        *((1.25, 2.0, True), (1.25, 1.2, False), (1.25, 1.5, True)),
    ]


def test_of_ours_the_fastest_that_is_accurate_enough_is_judged() -> None:
    plain = engine("PyTorch eager", 1.0, mean_iou=0.680)
    accurate = replace(own(4.0, merged=True, gflops=1.0), mean_iou=0.675)
    spoiled = replace(own(8.0, merged=True, gflops=1.0), blocks=(0, 1), mean_iou=0.665)
    assert reached((plain, accurate, spoiled), "plain PyTorch")[1] == 4.0
    wanted, lost, met = reached((plain, accurate, spoiled), "mIoU lost")
    assert (wanted, round(lost, 6), met) == (1.0, 0.5, True)


def test_our_two_programs_are_held_against_each_other() -> None:
    python = own(4.0, merged=True, gflops=1.0)
    cpp = engine("cpu_portable_fp32, C++", 3.0, ours=True, merged=True)
    assert reached((python, cpp), "C++ over Python") == (0.99, 0.75, False)


def test_our_full_token_model_over_transformers_by_its_faster_way() -> None:
    goals = replace(GOALS, full_token_over_transformers=1.5)
    named = [engine("transformers", 1.0), engine("transformers, compiled", 2.0)]
    ours = [own(3.0, merged=False, gflops=1.0), own(9.0, merged=True, gflops=1.0)]
    found = verdicts(replace(RESULT, engines=(*named, *ours)), goals)
    (verdict,) = [each for each in found if "full-token over" in each.target]
    assert (verdict.reached.median, verdict.met) == (1.5, True)
    assert "transformers, compiled" in verdict.target


def test_label_maps_are_a_share_of_the_models_time() -> None:
    ours = replace(own(4.0, merged=True, gflops=1.0), labels_ms=10.0, model_fps=(5.0, 6.0, 7.0))
    found = verdicts(replace(RESULT, engines=(ours,)), replace(GOALS, labels_share=0.05))
    (verdict,) = [each for each in found if "label maps" in each.target]
    assert (round(verdict.reached.median, 6), verdict.met, verdict.at_most) == (0.06, False, True)


def test_side_by_side_changes_nothing_of_the_model_alone() -> None:
    engines = tuple(faster_side_by_side(e, 3.0) if e.ours else e for e in RESULT.engines)
    for word in ("FLOP ratio", "matrix products, the model alone"):
        assert reached(engines, word) == reached(RESULT.engines, word)


def test_the_best_way_has_the_higher_median() -> None:
    mixed = engine("a", 2.0, side_by_side_fps=(1.0, 9.0))
    assert mixed.best_fps == (1.0, 9.0)  # 5 against 3
    assert engine("a", 2.0).best_fps == (2.0, 4.0)
    assert replace(mixed, end_to_end_fps=()).best_fps == (1.0, 9.0)
    assert next(e for e in RESULT.engines if e.cannot).best_fps == ()


def test_model_alone_against_the_flops() -> None:
    wanted, median, met = reached(RESULT.engines, "FLOP ratio 2.00")
    assert (wanted, median, met) == (0.95 * 2, 2.0, True)


def test_share_of_the_matrix_products() -> None:
    _, median, met = reached(RESULT.engines, "matrix products, the model alone")
    assert median == pytest.approx(12.0 * 10.0 / 100.0)  # 8 and 16 FPS of 10 GFLOP
    assert met
    _, median, met = reached(RESULT.engines, "matrix products, end to end")
    assert median == pytest.approx(6.0 * 10.0 / 100.0)  # 4 and 8 FPS
    assert not met


def test_the_highest_ceiling_that_a_machine_has_shown_counts() -> None:
    busy = replace(RESULT, ceiling={"float32": 80.0, "int8": 300.0})  # bfloat16 was not measured
    assert judged_again(busy, [busy, RESULT]).ceiling == {"float32": 100.0, "int8": 300.0}
    assert judged_again(RESULT, [busy, RESULT]).ceiling == RESULT.ceiling


def test_a_missing_side_gives_no_verdict() -> None:
    assert verdicts(replace(RESULT, engines=(engine("OpenVINO", 1.0),)), GOALS) == ()
    assert verdicts(replace(RESULT, engines=(engine("PyTorch eager", 1.0),)), GOALS) == ()


def test_precisions_are_kept_apart() -> None:
    half = replace(own(40.0, merged=True, gflops=10.0), dtype="bfloat16")
    peer = engine("OpenVINO", 10.0, dtype="bfloat16")
    found = verdicts(replace(RESULT, engines=(*RESULT.engines, half, peer)), GOALS)
    best = {v.target.split(":")[0]: v.reached.median for v in found if "best peer" in v.target}
    assert best == {"float32": 2.0, "bfloat16": 4.0}


def test_a_ratio_is_taken_round_by_round() -> None:
    slowing = engine("a", 1.0, end_to_end_fps=(3.0, 1.0))
    spread = ratio(slowing, engine("b", 1.0), "end_to_end_fps")
    assert (spread.median, spread.min, spread.max) == (1.75, 0.5, 3.0)


def test_what_cannot_run_is_never_found() -> None:
    failed = next(e for e in RESULT.engines if e.cannot)
    assert find(RESULT.engines, "ONNX Runtime", Variant(merged=True)) is None
    assert fastest([failed], "model_fps") is None
