"""The commands that measure: what they print, what they write, what they name as skipped."""

import json
from pathlib import Path

import numpy as np
import pytest

from mpm_deploy.families import DATASETS
from mpm_deploy.measure.search import variants
from mpm_deploy.ops.label_map import native
from tests.cli.running import RANDOM, SMALL, run
from tests.datasets.made_up import SIZES, make, write_label_file


def test_bench_prints_a_table_and_writes_the_report(
    artifact: Path, mixed_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_path = tmp_path / "report.json"
    options = ("--batch", "1,2", "--warmup", 1, "--workers", 1, "--json", report_path)
    assert run("bench", artifact, mixed_folder, *options) == 3
    captured = capsys.readouterr()
    assert "end-to-end FPS" in captured.out
    assert RANDOM in captured.out + captured.err
    assert "broken.png" in captured.err
    report = json.loads(report_path.read_text())
    assert report["schema"] == "mpm-report/2"
    assert [row["batch_size"] for row in report["results"]] == [1, 2]
    assert [Path(skipped["path"]).name for skipped in report["skipped"]] == ["broken.png"]


@pytest.mark.parametrize("native_library", [True, False])
def test_bench_warns_of_label_maps_that_take_longer_than_they_need(
    native_library: bool,
    artifact: Path,
    mixed_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(native, "available", lambda: native_library)
    run("bench", artifact, mixed_folder, "--warmup", 1)
    assert ("label maps took longer" in capsys.readouterr().err) is not native_library


def test_eval_prints_a_table_and_writes_the_evaluation(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("folder", tmp_path / "root")
    target = tmp_path / "evaluation.json"
    options = ("--root", tmp_path / "root", "--batch", 2, "--limit", 4, "--json", target)
    assert run("eval", artifact, "folder", *options) == 0
    captured = capsys.readouterr()
    assert "class 6" in captured.out
    assert "folder, 4 of 5 images: mIoU " in captured.out
    assert RANDOM in captured.err
    evaluation = json.loads(target.read_text())
    assert evaluation["schema"] == "mpm-evaluation/2"
    assert f"mIoU {100 * evaluation['mean_iou']:.2f}" in captured.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation.json", "root"]


def test_eval_names_what_it_skips_and_keeps_a_state_that_is_asked_for(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("folder", tmp_path / "root")
    broken = tmp_path / "root" / "images" / "photo_0001.png"
    broken.write_bytes(b"text")
    state = tmp_path / "evaluation.json.state"
    options = ("--root", tmp_path / "root", "--state", state, "--json", state.with_suffix(""))
    assert run("eval", artifact, "folder", *options) == 3
    assert f"skipped {broken}: not a JPEG or PNG file" in capsys.readouterr().err
    assert state.read_text().count("\n") == 1 + 4


def test_eval_warns_of_a_mask_of_0_and_255(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("folder", tmp_path)
    for path, size in zip(sorted((tmp_path / "labels").iterdir()), SIZES, strict=True):
        write_label_file(path, np.resize([0, 255], size))
    assert run("eval", artifact, tmp_path) == 0
    captured = capsys.readouterr()
    assert "warning: the label maps hold no class but 0 (class 0); " in captured.err
    assert "do not count" in captured.out


SWEEP = (*("--recipe", "cpu_portable_fp32"), *SMALL, "--timed", 2, "--repeats", 1, "--limit", 3)


def test_sweep_prints_a_row_for_each_and_writes_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("folder", tmp_path / "root")
    folder = tmp_path / "sweep"
    assert run("sweep", *SWEEP, tmp_path / "root", "--schedule", "1,3", "-o", folder) == 0
    captured = capsys.readouterr()
    assert "full-token" in captured.out and "mpm [1, 3]" in captured.out
    assert "1/1 mpm [1, 3]: mIoU " in captured.err
    assert RANDOM in captured.err
    found = json.loads((folder / "sweep.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["mpm [1, 3]"]
    assert found["rows"][0]["speed"]["images"] == 2
    assert (folder / "sweep.csv").read_text().count("\n") == 3
    assert (folder / "sweep.svg").read_text().startswith("<svg")


def test_by_itself_a_sweep_builds_what_is_worth_it_and_says_why_the_rest_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "default_schedules", lambda _: [(1,), (3,), (0, 1, 3)])
    make("folder", tmp_path / "root")
    folder = tmp_path / "sweep"
    assert run("sweep", *SWEEP, tmp_path / "root", "--builds", 1, "-o", folder) == 0
    out = capsys.readouterr().out
    assert "not built" in out and out.count("agrees") == 2
    found = json.loads((folder / "sweep.json").read_text())
    assert len(found["rows"]) == 1
    kept = [sight["name"] for sight in found["seen"] if sight["skipped"] is None]
    assert kept == ["full-token", "mpm [0, 1, 3]"]


def test_advise_needs_no_label_maps(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--schedule", "1,3", "--max-drop", "100", "-o", tmp_path / "sweep")
    assert run("advise", *SWEEP, image_folder, *options) == 0
    out = capsys.readouterr().out
    assert "points of mIoU against the full-token model lost; 1 of 1 ways" in out
    assert "[merge]\nmethod = " in out


def test_profile_prints_stages_and_blocks(
    artifact: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "profile.json"
    assert run("profile", artifact, image_folder, "--limit", 2, "--json", target) == 0
    captured = capsys.readouterr()
    assert "decode" in captured.out and "block 11" in captured.out and "eager" in captured.out
    assert RANDOM in captured.err
    assert json.loads(target.read_text())["schema"] == "mpm-profile/2"


def test_profile_names_what_it_skips(
    artifact: Path, mixed_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("profile", artifact, mixed_folder, "--limit", 3) == 3
    assert f"skipped {mixed_folder / 'broken.png'}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--schedule", "2,40"), "expected rising block numbers from 0 to 11, got [2, 40]"),
        (("--method", "tome"), "merge.ratio: expected ratio or r, got neither"),
        (("--method", "tome"), "hint: as in --method tome:ratio=0.1"),
    ],
)
def test_a_sweep_is_checked_before_anything_is_built(
    options: tuple[str, ...], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("folder", tmp_path / "root")
    folder = tmp_path / "sweep"
    assert run("sweep", *SWEEP, tmp_path / "root", *options, "-o", folder) == 1
    assert problem in capsys.readouterr().err
    assert not folder.exists()


def test_eval_without_a_data_set_exits_1(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, problem in {
        "ade": "expected one of ade20k, cityscapes, pascal_context",
        "ade20k": "looked for images/validation, annotations/validation in it",
    }.items():
        assert run("eval", artifact, name, "--root", tmp_path) == 1
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("error: ") and problem in lines[0]
        assert lines[1].startswith("  hint: ")


def test_help_of_eval_names_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("eval", "--help")
    shown = capsys.readouterr().out
    assert all(name in shown for name in DATASETS)


@pytest.mark.parametrize("command", ["run", "bench", "eval", "profile", "visualize"])
def test_what_opens_an_artifact_asks_for_trust(
    command: str, artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("folder", tmp_path / "root")
    (tmp_path / "keys").mkdir()
    data = tmp_path / "root" / ("" if command == "eval" else "images")
    output = ("-o", tmp_path / "out") if command in ("run", "visualize") else ()
    assert run(command, artifact, data, *output, "--trust", tmp_path / "keys") == 1
    assert "NAME.pem each, got none" in capsys.readouterr().err


def test_bench_skips_images_of_more_pixels(
    artifact: Path, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bench", artifact, image_folder, "--max-pixels", 1) == 1
    assert "none of its 5 images could be used; the first: " in capsys.readouterr().err
