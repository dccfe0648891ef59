from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpm_deploy.artifact import Manifest
from mpm_deploy.errors import InputError
from mpm_deploy.measure.speed import bench as bench_module
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.measure.speed.report import LeftOut, Report
from mpm_deploy.support.contention import Contention
from tests.support.toy import MANIFEST, PATCHES, write_pictures

FULL = replace(MANIFEST, merge=replace(MANIFEST.merge, blocks=()))
# Seconds of the model and end-to-end passes, turn by turn.
SECONDS = {
    "merged.pt": {"model": [1.0, 2.0, 1.0], "end_to_end": [2.0, 4.0, 2.0]},
    "full.pt": {"model": [2.0, 3.0, 2.0], "end_to_end": [3.0, 4.8, 4.0]},
}
READY = {name: {"usable": 12, "windows": 12, "is_full": False} for name in SECONDS}


def contention(figure: float) -> dict[str, float]:
    return {"others_cores": figure, "interruptions": 10 * figure, "throttled": 0.0}


class ScriptedEngine:
    """Answers as a worker would that took the seconds above."""

    log: list[tuple[str, str]]

    def __init__(self, artifact: str, **_: Any) -> None:
        self.artifact = artifact
        self.turns: defaultdict[str, Iterator[float]] = defaultdict(lambda: iter([1.0] * 9))

    def __enter__(self) -> "ScriptedEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.log.append((self.artifact, "closed"))

    def ask(self, name: str, **details: Any) -> dict[str, Any]:
        self.log.append((self.artifact, name))
        if name == "open":
            opened = {"images": 13, **READY[self.artifact], "threads": 2, "gpu": None}
            return opened | {"program": "cpp", "torch": "2.6", "python": None, "mpm_deploy": "0"}
        if name == "warmup":
            self.turns.update({k: iter(v) for k, v in SECONDS[self.artifact].items()})
            return {"images": 20 * details["batch_size"], "seconds": 1.0}
        seconds = next(self.turns[name])
        if name == "model":
            return {"images": 12, "seconds": seconds, "contention": contention(1.0)}
        return {
            "images": 12,
            "windows": 12,
            "seconds": seconds,
            "latencies_ms": [10.0 * seconds] * 12,
            "stages_ms": dict.fromkeys(("decode", "fit", "copy", "scores", "labels"), seconds),
            "tokens_kept": {"mean": [4.5], "min": [4], "max": [5]},
            "contention": contention(3.0),
            "peak_memory_mib": 100.0 + seconds,
            "gflops": 10.0 if self.artifact == "merged.pt" else 18.0,
            "skipped": [{"path": "x.png", "reason": "the file is empty"}],
        }


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    def manifest_of(path: str) -> Manifest:
        return MANIFEST if path == "merged.pt" else FULL

    ScriptedEngine.log = []
    monkeypatch.setattr(bench_module, "read_manifest", manifest_of)
    monkeypatch.setattr(bench_module, "Engine", ScriptedEngine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path, 1)
    return tmp_path


def compare(folder: Path, **options: Any) -> Report:
    options = {"batch_sizes": [2], **options}
    return bench("merged.pt", folder, against="full.pt", repeats=3, **options)


def test_alone_each_pass_runs_once(folder: Path) -> None:
    report = bench("merged.pt", folder, batch_sizes=[1, 2], repeats=3)
    passes = ["warmup", "model", "end_to_end"] * 2
    assert [name for _, name in ScriptedEngine.log] == ["open", *passes, "closed"]
    assert report.comparison is None
    assert [result.batch_size for result in report.results] == [1, 2]
    assert report.results[1].model_fps == 12.0
    assert report.results[1].warmup_images == 40
    assert (report.host.threads, report.host.program, report.host.torch) == (2, "cpp", "2.6")
    assert [skipped.path for skipped in report.skipped] == ["x.png"]


def test_engines_take_turns(folder: Path) -> None:
    compare(folder)
    log = ScriptedEngine.log
    assert log[:4] == [(a, name) for name in ("open", "warmup") for a in ("merged.pt", "full.pt")]
    turn = [(a, name) for a in ("merged.pt", "full.pt") for name in ("model", "end_to_end")]
    assert log[4:-2] == turn * 3
    assert sorted(log[-2:]) == [("full.pt", "closed"), ("merged.pt", "closed")]


def test_ratios_are_taken_turn_by_turn(folder: Path) -> None:
    comparison = compare(folder).comparison
    assert comparison is not None
    (ratio,) = comparison.results
    assert ratio.repeats == 3
    model, end_to_end = ratio.model_fps_ratio, ratio.end_to_end_fps_ratio
    assert (model.min, model.median, model.max) == pytest.approx((1.5, 2.0, 2.0))
    assert (end_to_end.min, end_to_end.median, end_to_end.max) == pytest.approx((1.2, 1.5, 2.0))
    assert ratio.flop_ratio == pytest.approx(1.8)
    assert ratio.against.model_fps == 6.0
    assert comparison.against.path == "full.pt"
    assert comparison.verdict.startswith("Merging pays here:")


def test_a_measurement_sums_up_its_turns(folder: Path) -> None:
    (result,) = compare(folder).results
    assert result.images == 12
    assert result.model_fps == 12.0
    assert result.end_to_end_fps == 6.0
    assert result.latency_ms.p50 == pytest.approx(20.0)
    assert result.latency_ms.p99 is None  # 36 samples
    assert result.stages_ms.scores == pytest.approx(8 / 3)
    # the toy's manifest: 1 + 1 t_0 + 1 t_1 + 1 t_1² GFLOPs
    assert result.peak_memory_mib == 102.0
    assert result.contention == Contention(2.0, 20.0, 0.0)
    assert result.gflops_full_token == pytest.approx(1 + 2 * PATCHES + PATCHES**2)


def test_a_batch_larger_than_the_folder_is_left_out_and_said(folder: Path) -> None:
    report = bench("merged.pt", folder, batch_sizes=[1, 13, 32])
    assert [result.batch_size for result in report.results] == [1]
    assert [left_out.batch_size for left_out in report.left_out] == [13, 32]
    assert "there are 12" in report.left_out[0].reason
    with pytest.raises(InputError, match="batch 13 needs as many different images, and there are"):
        bench("merged.pt", folder, batch_sizes=[32, 13])


def test_a_batch_counts_the_windows_that_both_artifacts_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READY, "merged.pt", {"usable": 128, "windows": 256, "is_full": True})
    report = bench("merged.pt", folder, batch_sizes=[1, 200, 300])
    assert [result.batch_size for result in report.results] == [1, 200]
    reason = "needs as many different windows, and at most 256 are kept ready"
    assert report.left_out == (LeftOut(300, reason),)
    (left_out,) = compare(folder, batch_sizes=[2, 200]).left_out
    assert left_out.reason == "needs as many different images, and there are 12"


def test_progress_counts_every_pass(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    compare(folder, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 14) for done in range(1, 15)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"batch_sizes": (1.5,)}, r"batch_sizes\[0\]: expected a whole number, got 1\.5"),
        ({"batch_sizes": ()}, "batch_sizes: expected one or more, got none"),
        ({"batch_sizes": 1}, "batch_sizes: expected a list, got 1"),
        ({"repeats": 0}, "repeats: expected 1 or more, got 0"),
        ({"warmup": -1}, "warmup: expected 0 or more, got -1"),
        ({"threads": "1"}, "threads: expected a whole number, got '1'"),
        ({"limit": True}, "limit: expected a whole number, got True"),
        ({"stride": 0}, "stride: expected 1 or more, got 0"),
        ({"device": "tpu"}, "device: expected 'cpu', 'cuda' or 'cuda:1', got 'tpu'"),
    ],
)
def test_options_are_checked_before_anything_starts(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        bench("nowhere.pt", "nowhere", **options)


def test_nothing_is_started_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        bench("merged.pt", tmp_path / "absent")
    assert ScriptedEngine.log == []
