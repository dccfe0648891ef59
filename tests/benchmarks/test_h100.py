"""The GPU benchmark: a part on a CPU, on a small model; the record, the targets and the tables."""

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from benchmarks import h100
from benchmarks.bench import cache
from benchmarks.bench.agreement import Agreement
from benchmarks.bench.tables import as_text, rows_table
from benchmarks.gpu import prepare, rehearsal, stages
from benchmarks.gpu.floors import kinds
from benchmarks.gpu.measure import Conditions, MeasurementError, Part
from benchmarks.gpu.record import read_record
from benchmarks.gpu.results import PartResult
from benchmarks.gpu.rows import SUBJECTS
from benchmarks.gpu.tables import (
    every_table,
    floor_rows,
    notes,
    paper_rows,
    speed_rows,
    told_profiles,
)
from benchmarks.gpu.targets import verdicts
from benchmarks.record import IMAGES
from mpm_deploy.images.decode import find_images
from mpm_deploy.models.weights.files import load_into, read_weights, save_weights
from mpm_deploy.models.zoo import create
from mpm_deploy.support.schema import to_mapping
from tests.benchmarks.made_up_gpu import PART, RECORD, ROW, part, report
from tests.parity.conftest import CPP_RUNNER


def test_targets_are_met_and_missed() -> None:
    reached = {verdict.target: (verdict.reached.median, verdict.met) for verdict in verdicts(PART)}
    prefix = f"{ROW} mpm: "
    assert reached == {
        prefix + "labels as the eager model's": (0.999, True),
        prefix + "model FPS at batch 32": (1000.0, False),
        prefix + "model FPS over full-token": (1.35, False),
        prefix + "model FPS over full-token, of 0.92 × FLOP ratio 1.50": (1.35, False),
        prefix + "end-to-end FPS over model FPS": (0.8, False),
        prefix + "merging and reconstruction of the forward": (0.025, True),
        prefix + "C++ label maps as Python's, of 512": (1.0, True),
    }
    faster = verdicts(part(model_ratio=1.46))
    assert [v.met for v in faster if "over full-token" in v.target] == [True, True]


def test_float32_must_be_ahead_of_the_paper() -> None:
    plain = part("seg_l16_mask-512-float32", model_ratio=1.6)
    (ahead,) = [v for v in verdicts(plain) if "over full-token" in v.target]
    assert (ahead.wanted, ahead.met) == (pytest.approx(1.57, abs=5e-3), True)


def test_every_label_map_must_be_the_same() -> None:
    unlike = replace(part(method="tome"), parity=Agreement(512, 511, 0.9999, ("a.png",)))
    _, verdict = verdicts(unlike)
    assert not verdict.met and verdict.reached.median == 511 / 512


def test_a_tiny_model_must_never_be_slower() -> None:
    tiny = replace(PART, row="seg_t16_mask-512-bfloat16", cpp=report(32, 100.0, 0.99, 1.5))
    slower = [verdict for verdict in verdicts(tiny) if "at batch" in verdict.target]
    assert [verdict.met for verdict in slower] == [False]


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    record = RECORD.with_part(PART)
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**to_mapping(record), "date": "of write_result"}))
    assert read_record(path) == record


def test_a_part_takes_the_place_of_an_older_one() -> None:
    other, tome = part("seg_b16_mask-512-bfloat16"), part(method="tome")
    record = RECORD
    for each in (PART, other, tome):
        record = record.with_part(each)
    newer = replace(PART, weights="trained")
    assert record.with_part(newer).parts == (other, tome, newer)


def test_a_part_never_loses_a_measurement() -> None:
    begun = replace(PART, python=None, parity=None, profiles=(), stages=None)
    record = RECORD.with_part(PART).with_part(begun)
    assert record.parts == (PART,)
    newer = replace(PART, labels_agree=0.9)
    assert record.with_part(newer).parts == (newer,)


def test_random_weights_are_measured_again_once_there_are_others() -> None:
    record = RECORD.with_part(replace(PART, weights="random"))
    assert not record.has(ROW, "mpm")


def test_what_is_on_file_is_not_measured_again() -> None:
    record = RECORD.with_part(PART)
    subject = SUBJECTS[ROW]
    wanted = [(subject, "mpm"), (subject, "tome")]
    assert list(h100.missing(record, wanted)) == [(subject, "tome")]


def test_a_part_that_failed_in_places_is_measured_again() -> None:
    incomplete = replace(PART, python=None)
    record = RECORD.with_part(incomplete)
    subject = SUBJECTS[ROW]
    assert list(h100.missing(record, [(subject, "mpm")])) == [(subject, "mpm")]
    assert "1000" in as_text(rows_table(speed_rows(record)), 200)


def test_a_part_without_figures_is_in_no_table_and_no_verdict() -> None:
    empty = replace(PART, cpp=None, python=None, parity=None, profiles=(), stages=None)
    record = RECORD.with_part(empty)
    assert [verdict.met for verdict in record.verdicts] == [True]  # of the build
    for rows in (paper_rows, speed_rows, floor_rows):
        assert [*rows(record)] == []
    assert any("not compared" in note for note in notes(record))


def test_kernels_of_full_token_are_beside_its_own_floor() -> None:
    full = replace(PART.profiles[0], merged=False)
    both = replace(PART, profiles=(PART.profiles[0], full))
    (_, merged), (_, whole) = told_profiles([both])
    floors = [kinds(both, profile, RECORD.ceilings)[1].floor for profile in (merged, whole)]
    # Full-token's 400 GFLOPs are all of pairs there: 32 images at 500 TFLOP/s.
    assert floors[1] == pytest.approx(32 * 400 / 500) and floors[0] < floors[1]


def test_the_file_is_named_after_the_gpu() -> None:
    assert RECORD.file_name == "h100-nvidia-h100-80gb-hbm3"


def test_tables_say_what_was_measured_and_what_the_paper_had() -> None:
    record = RECORD.with_part(PART)
    tables = [as_text(table, 200) for _, table in every_table(record)]
    text = "\n".join([*tables, *notes(record)])
    for expected in ("741 / 375", "1000 / 456", "1.35 / 1.22", "0.50 + 0.25", "2.5%", "flash_fwd"):
        assert expected in text
    assert "2000 GB/s" in text and "512 of 512 images" in text


@pytest.fixture
def rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """A small part on a CPU, of few images."""
    if not CPP_RUNNER.exists():
        pytest.skip(f"{CPP_RUNNER} is not built: make cpp")
    monkeypatch.setattr(stages, "_REPEATS", 2)
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "built")
    images = tmp_path / "images"
    images.mkdir()
    for image in find_images(IMAGES)[: rehearsal.COUNT]:
        (images / image.name).symlink_to(image)
    conditions = replace(
        rehearsal.small_conditions(images),
        program=CPP_RUNNER,
    )
    return rehearsal.part_of(SUBJECTS["seg_t16_mask-512-float32"], "mpm", conditions)


def test_a_part_is_measured(rehearsed: Part) -> None:
    """As on a GPU, with both programs."""
    *_, measured = rehearsed.measure()
    assert measured.complete and measured.stages is not None
    assert measured.cpp is not None and measured.python is not None
    assert [result.batch_size for result in measured.cpp.results] == [1, 2]
    assert [result.batch_size for result in measured.python.results] == [1, 2]
    assert measured.cpp.results[1].tokens_kept == measured.python.results[1].tokens_kept
    assert (measured.weights, measured.patches) == ("random", 36)
    assert measured.parity == Agreement(rehearsal.COUNT, rehearsal.COUNT, 1.0)
    assert len(measured.stages.merges) == 2 and measured.stages.share > 0
    profiled = [(profile.batch_size, profile.merged) for profile in measured.profiles]
    assert profiled == [(1, True), (2, True), (1, False), (2, False)]
    kernels = measured.profiles[0].kernels
    assert kernels[0].milliseconds >= kernels[-1].milliseconds


def test_a_measurement_that_fails_costs_no_other(
    rehearsed: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    timed = Part._timed
    monkeypatch.setattr(Part, "_timed", lambda part, at: timed(part, at) if at else PART.python)
    for name in ("profiles", "stages"):
        monkeypatch.setattr(Part, f"_{name}", Mock(return_value=getattr(PART, name)))
    conditions = replace(rehearsed.conditions, program=Path("/no/such/cpp_runner"))
    results: list[PartResult] = []
    with pytest.raises(MeasurementError, match="failed: cpp, parity"):
        results.extend(replace(rehearsed, conditions=conditions).measure())
    assert "/no/such/cpp_runner" in capsys.readouterr().err
    measured = results[-1]
    assert measured.cpp is None and measured.parity is None
    assert (measured.python, measured.profiles) == (PART.python, PART.profiles)
    assert measured.stages == PART.stages


def test_a_slow_row_is_timed_on_fewer_images(tmp_path: Path) -> None:
    conditions = Conditions(tmp_path)
    assert conditions.parity_images >= 128
    made = Part(SUBJECTS[ROW], "mpm", "random", conditions)
    flops = {"slow": 500.0, "fast": 300.0}
    timed = {name: made.timed_images(gflops) for name, gflops in flops.items()}
    assert timed == {"slow": 128, "fast": 256}


@pytest.mark.parametrize("model", ["seg_t16_mask", "seg_t16_linear"])
def test_weights_are_cut_to_fewer_classes(model: str, tmp_path: Path) -> None:
    whole = create(model, classes=9, image_size=(64, 64), seed=3)
    about = {
        "model": model,
        "image_size": [64, 64],
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "classes": [f"class {index}" for index in range(9)],
        "palette": [[index, 0, 0] for index in range(9)],
    }
    save_weights(whole, tmp_path / "model.safetensors", about)
    tensors, info = read_weights(prepare.with_classes(tmp_path / "model.safetensors", 4))
    assert info.classes == tuple(f"class {index}" for index in range(4))
    fewer = create(model, classes=4, image_size=(96, 96))
    load_into(fewer, tensors, "cut")  # and the positions are resized
    head = "decoder.cls_emb" if model.endswith("mask") else "decoder.head.weight"
    assert torch.equal(fewer.state_dict()[head], whole.state_dict()[head][:4].bfloat16().float())


def test_ceilings_and_memory_are_of_this_device() -> None:
    cpu = torch.device("cpu")
    ceilings = stages.measure_ceilings(cpu, ((64, 64, 64),), size=1 << 16)
    assert ceilings.copy_gb_per_s > 0
    assert ceilings.matrix_tflops.keys() == {"bfloat16", "float32"}
    assert stages.measure_merge_memory(cpu, tokens=64).tokens_mib == 64 * 768 * 2 / (1 << 20)


def test_what_was_brought_home_is_filed_beside_what_there_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, brought = tmp_path / "results", tmp_path / "out"
    results.mkdir(), brought.mkdir()
    monkeypatch.setattr(h100, "RESULTS", results)
    monkeypatch.setattr(h100.subprocess, "run", lambda *_, **__: None)  # no page is rendered
    versions = {"versions": {"torch": "2.11.0"}, "date": "today", "commit": "0" * 12}
    for folder, made in ((results, PART), (brought, part(method="tome"))):
        record = RECORD.with_part(made)
        path = folder / f"{record.file_name}.json"
        path.write_text(json.dumps({**to_mapping(record), **versions}))
    record = h100.take(brought)
    assert [each.method for each in record.parts] == ["mpm", "tome"]
    assert len(record.verdicts) == len(verdicts(PART)) + 2


@pytest.mark.parametrize("gpu", [None, rehearsal.GPU])
def test_nothing_but_a_record_of_a_gpu_is_filed(gpu: str | None, tmp_path: Path) -> None:
    if gpu:
        record = replace(RECORD.with_part(PART), gpu=gpu)
        path = tmp_path / f"{record.file_name}.json"
        path.write_text(json.dumps(to_mapping(record)))
    with pytest.raises(SystemExit, match="rehearsal" if gpu else "expected one h100"):
        h100.take(tmp_path)
