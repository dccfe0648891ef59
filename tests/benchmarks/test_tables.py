"""Tables and the README's block, from results that were made up."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench.tables import as_text
from benchmarks.pages import common, peers
from benchmarks.peers.models import Goals
from benchmarks.peers.results import ModelResult, headline
from benchmarks.peers.tables import engines_table, notes, title
from benchmarks.peers.targets import verdicts
from mpm_deploy.support.schema import read_structure, to_mapping
from tests.benchmarks.made_up import RESULT, engine


def record(subject: str, date: str = "2026-01-01T00:00:00Z") -> dict[str, object]:
    """As `write_result` keeps it."""
    judged = to_mapping(replace(RESULT, subject=subject)) | {
        "verdicts": to_mapping(list(verdicts(RESULT, Goals(5, 1.5, 0.8))))
    }
    return {
        "models": [to_mapping(judged)],
        "packages": {"torch": "2.15"},
        "machine": {"cpu": "a processor", "cores": 2},
        "commit": "0123456789ab",
        "date": date,
    }


def test_a_table_that_does_not_fit_is_no_text() -> None:
    table = engines_table(RESULT)
    assert "…" not in as_text(table)
    with pytest.raises(ValueError, match="expected a table of 60 columns, got a wider one"):
        as_text(table, 60)


def test_results_come_back_from_json() -> None:
    assert read_structure(ModelResult, json.loads(json.dumps(to_mapping(RESULT)))) == RESULT


def test_random_weights_are_said_aloud() -> None:
    assert "random weights" in title(RESULT)
    assert "label maps mean nothing" in title(RESULT)


def test_what_cannot_run_is_said_with_its_reason() -> None:
    assert notes(RESULT)[0] == "ONNX Runtime float32 merged cannot: Fail: no such node"


def test_a_row_shows_both_ways_and_the_order_is_by_the_better() -> None:
    peer = engine("ONNX Runtime", 1.0, side_by_side_fps=(40.0, 80.0))
    text = as_text(engines_table(replace(RESULT, engines=(*RESULT.engines, peer))))
    header, _, first, second, *_ = text.splitlines()
    assert header.split("  ")[0] == "engine" and "end-to-end FPS   side by side" in header
    assert first.split() == [
        *("ONNX", "Runtime", "float32", "full-token", "3.00", "1.50", "60.0"),
        *("40.00", "(40.00", "–", "40.00)", "50.00%", "–"),
    ]
    assert second.split()[:8] == [
        *("mpm-deploy", "cpu_portable_fp32,", "Python", "float32"),
        *("merged", "12.0", "6.00", "–"),
    ]


def test_the_readme_takes_the_fastest_by_their_best_way() -> None:
    peer = engine("ONNX Runtime", 1.0, side_by_side_fps=(40.0, 80.0))
    kept = headline(replace(RESULT, engines=(*RESULT.engines, peer))).engines
    names = [e.name for e in kept if not e.ours]
    assert names == ["PyTorch eager", "ONNX Runtime"]


def test_accuracy_is_shown_where_it_was_measured() -> None:
    assert "mIoU" not in as_text(engines_table(RESULT))
    judged = engine("OpenVINO with NNCF", 1.0, dtype="int8", mean_iou=0.6813)
    text = as_text(engines_table(replace(RESULT, engines=(*RESULT.engines, judged))))
    (line,) = (line for line in text.splitlines() if "int8" in line)
    assert "mIoU" in text.splitlines()[0] and line.split()[-2:] == ["68.13", "–"]
    assert "int8" in as_text(engines_table(headline(replace(RESULT, engines=(judged,)))))


def test_a_schedule_of_its_own_is_named() -> None:
    merged = engine("OpenVINO", 1.0, merged=True, blocks=(1, 2, 5))
    assert merged.title == "OpenVINO float32 merged 1, 2, 5"
    text = as_text(engines_table(replace(RESULT, engines=(*RESULT.engines, merged))))
    assert any("  merged 1, 2, 5  " in line for line in text.splitlines())


def test_the_readme_takes_ours_that_is_accurate_enough() -> None:
    plain = engine("PyTorch eager", 1.0, mean_iou=0.68)
    ours = [
        engine("cpu_fp32, C++", fps, ours=True, merged=True, blocks=blocks, mean_iou=mean_iou)
        for fps, blocks, mean_iou in ((4.0, (), 0.679), (5.0, (1, 2, 5), 0.671), (9.0, (0,), 0.669))
    ]
    kept = headline(replace(RESULT, engines=(plain, *ours))).engines
    assert [e.blocks for e in kept if e.ours] == [(1, 2, 5)]


def test_what_cannot_go_side_by_side_is_said_with_its_reason() -> None:
    alone = engine("OpenVINO", 1.0, not_side_by_side="RuntimeError: no memory")
    assert notes(replace(RESULT, engines=(alone,))) == [
        "OpenVINO float32 full-token cannot side by side: RuntimeError: no memory"
    ]


def test_the_page_shows_every_engine_and_the_readme_the_fastest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    assert (peers.readme(), peers.pages()) == ("", {})
    (tmp_path / "cpu_peers-a-processor-2.json").write_text(json.dumps(record("demo")))
    (tmp_path / "cpu_peers-other-4.json").write_text(json.dumps(record("seg_t16_mask")))
    readme, text = peers.readme(), peers.pages()[peers.PAGE]
    assert readme.count("commit 0123456789ab") == 1  # of the machine that has timed the demo
    assert text.count("commit 0123456789ab") == 2
    assert "mpm-deploy cpu_portable_fp32, Python" in readme and "missed" not in readme
    lines = {line.split("  ")[2]: line for line in text.splitlines() if "float32  " in line}
    assert set(lines) == {"mpm-deploy cpu_portable_fp32, Python", "OpenVINO", "PyTorch eager"}
    assert "2.00 (2.00 – 2.00)" in lines["OpenVINO"]
    assert "50.00%" in lines["OpenVINO"]
    assert "met" in text and "missed" in text
    assert "a processor, 2 cores, torch 2.15, commit 0123456789ab" in text


def test_the_readme_is_of_the_machine_that_was_measured_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    for cpu, date in (("newer", "2026-02-02T00:00:00Z"), ("older", "2026-01-01T00:00:00Z")):
        machine = {"machine": {"cpu": cpu, "cores": 2}}
        text = json.dumps(record("demo", date) | machine)
        (tmp_path / f"cpu_peers-{cpu}-2.json").write_text(text)
    assert "newer, 2 cores" in peers.readme() and "older" not in peers.readme()


def test_the_readme_is_filled_between_its_marks() -> None:
    text = "a\n<!-- here -->\nold\n<!-- end of here -->\nb\n"
    filled = common.between(text, "here", "new\n")
    assert filled == "a\n<!-- here -->\nnew\n<!-- end of here -->\nb\n"
