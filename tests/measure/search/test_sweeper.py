"""Measuring rows: each once, from one artifact, kept as soon as it is there."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mpm_deploy
from mpm_deploy.datasets import Dataset, open_dataset
from mpm_deploy.errors import AgreementError, InputError
from mpm_deploy.measure.accuracy.evaluate import evaluate
from mpm_deploy.measure.search import sweeper as sweeper_module
from mpm_deploy.measure.search.advise import fastest, most_accurate
from mpm_deploy.measure.search.own_labels import label_images
from mpm_deploy.measure.search.settings import Settings
from mpm_deploy.measure.search.sweep import Sight, SweepRow
from mpm_deploy.measure.search.sweeper import FILE, Sweeper, full_token_artifact
from mpm_deploy.measure.speed.report import Report
from mpm_deploy.recipe import MergeRecipe
from tests.conftest import small_recipe
from tests.datasets.made_up import SIZES, make, write_label_file
from tests.measure.search.sweeps import report, row
from tests.support.failing_artifact import write_failing_artifact

RECIPE = small_recipe()
EARLY, LATE = MergeRecipe("mpm", (1, 3)), MergeRecipe("mpm", (9,))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make("folder", tmp_path / "data")
    return open_dataset(str(tmp_path / "data"))


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Stands in for the bench: every artifact twice as fast as the full-token one."""
    calls = []

    def bench(artifact: Path, folder: Path, **options: Any) -> Report:
        calls.append((artifact.name, len(list(folder.iterdir()))))
        return report(10.0, None) if options["against"] is None else report(20.0, 10.0)

    monkeypatch.setattr(sweeper_module, "bench", bench)
    return calls


Start = Callable[..., Sweeper]


@pytest.fixture
def start(dataset: Dataset, tmp_path: Path, timed: object) -> Start:
    def start(**changes: Any) -> Sweeper:
        settings = Settings(limit=4, timed=3, **changes)
        say: Callable[[str], None] = lambda _: None  # noqa: E731
        return Sweeper(RECIPE, None, dataset, "labels", tmp_path / "sweep", settings, say)

    return start


def test_a_row_is_what_evaluation_and_bench_say(
    start: Start, dataset: Dataset, timed: list[tuple[str, int]], tmp_path: Path
) -> None:
    sweeper = start()
    row = sweeper.measure(EARLY)
    assert row is not None
    assert timed == [("full_token.pt", 3), ("variant.pt", 3)]
    assert row.speed.end_to_end_fps_ratio.median == 2.0 and row.speed.flop_ratio == 2.0
    full = evaluate(tmp_path / "sweep" / "full_token.pt", dataset, limit=4)
    assert sweeper.sweep.full_token.accuracy.mean_iou == full.mean_iou
    assert sweeper.sweep.full_token.payload_sha256 == full.artifact.payload_sha256
    assert sweeper.sweep.full_token.speed.end_to_end_fps_ratio.median == 1.0
    assert row.accuracy.images == 4
    assert row.name in sweeper.sweep.front
    assert sorted(p.name for p in (tmp_path / "sweep").iterdir()) == [
        *("full_token.pt", FILE, "timed_images")
    ]


def test_speed_is_measured_on_images_that_accuracy_is(
    dataset: Dataset, tmp_path: Path, timed: list[tuple[str, int]]
) -> None:
    settings, folder = Settings(limit=2, timed=3), tmp_path / "sweep"
    Sweeper(RECIPE, None, dataset, "labels", folder, settings, lambda _: None)
    assert timed == [("full_token.pt", 2)]


def test_where_trust_is_asked_nothing_is_built(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPM_TRUST", str(tmp_path / "keys"))
    output = tmp_path / "sweep"
    for search in (mpm_deploy.sweep, partial(mpm_deploy.advise, max_drop=1.0)):
        with pytest.raises(InputError, match=r"keys: only what is signed .* builds, unsigned"):
            search(RECIPE, dataset, output=output)
    assert not output.exists()


def test_what_is_interrupted_goes_on_where_it_stopped(
    start: Start, timed: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = start()
    first = sweeper.measure(EARLY)
    with monkeypatch.context() as broken:
        broken.setattr(sweeper_module, "build", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sweeper.measure(LATE)
    timed.clear()
    again = start()
    assert again.measure(EARLY) == first
    assert timed == []
    assert again.measure(LATE) is not None
    assert [name for name, _ in timed] == ["variant.pt"]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_built_is_kept_and_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = start()
    with monkeypatch.context() as broken:
        broken.setattr(sweeper_module, "build", disagree)
        assert sweeper.measure(LATE) is None
    assert [(f.name, f.reason) for f in sweeper.sweep.failures] == [("mpm [9]", "it disagrees")]
    again = start()
    assert again.measure(LATE) is not None
    assert again.sweep.failures == ()


def disagree(*_: object) -> None:
    raise AgreementError("it disagrees")


def test_rows_of_other_settings_are_not_mixed(start: Start, tmp_path: Path) -> None:
    start()
    with pytest.raises(InputError, match=r"sweep\.json: a sweep of another settings"):
        start(batch_size=2)
    (tmp_path / "data" / "images" / "photo_0004.jpg").unlink()
    fewer = open_dataset(str(tmp_path / "data"))
    with pytest.raises(InputError, match="a sweep of another dataset"):
        Sweeper(RECIPE, None, fewer, "labels", tmp_path / "sweep", Settings(4, 3), lambda _: None)


def test_an_artifact_of_another_recipe_is_not_taken_for_the_full_token_one(tmp_path: Path) -> None:
    told: list[str] = []
    path = full_token_artifact(RECIPE, None, tmp_path, told.append)
    built = path.stat().st_mtime_ns
    assert full_token_artifact(RECIPE, None, tmp_path, told.append).stat().st_mtime_ns == built
    other = replace(RECIPE, model=replace(RECIPE.model, classes=5))
    assert full_token_artifact(other, None, tmp_path, told.append).stat().st_mtime_ns > built


def test_nor_is_one_of_other_weights_under_the_same_name(tmp_path: Path) -> None:
    path = full_token_artifact(RECIPE, None, tmp_path, lambda _: None)
    built = path.stat().st_mtime_ns
    trained_again = full_token_artifact(RECIPE, "0" * 64, tmp_path, lambda _: None)
    assert trained_again == path and path.stat().st_mtime_ns > built


SINGLE = [MergeRecipe("mpm", (block,)) for block in range(12)]


def test_a_look_is_had_once_and_kept_with_its_reasons(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = start()
    worth = sweeper.worth_a_build(SINGLE[:4], builds=2)
    assert 1 <= len(worth) <= 2 and all(sight.skipped is None for sight in worth)
    assert {sight.merge for sight in sweeper.sweep.skipped()} == {*SINGLE[:4]} - {
        sight.merge for sight in worth
    }
    again = start()
    monkeypatch.setattr(sweeper_module, "FirstLook", interrupt)
    assert again.worth_a_build(SINGLE[:4], builds=2) == worth
    assert len(again.worth_a_build(SINGLE[:2], builds=9)) <= 2
    assert {sight.merge for sight in again.sweep.seen} == {RECIPE.full_token().merge, *SINGLE[:4]}


def losing(monkeypatch: pytest.MonkeyPatch, sweeper: Sweeper) -> list[int]:
    """Every row loses as many points as its block is early; which blocks are measured is kept."""
    measured: list[int] = []
    full_token = sweeper.sweep.full_token.accuracy.mean_iou

    def measure(merge: MergeRecipe) -> SweepRow | None:
        (block,) = merge.blocks
        measured.append(block)
        fps_ratio = 2.0 - block / 12
        return None if block == 6 else row(merge, full_token - (11 - block) / 100, fps_ratio)

    def worth_a_build(merges: Sequence[MergeRecipe], _: int) -> list[Sight]:
        return [Sight("", merge, 1.0 + merge.blocks[0], (1.0,)) for merge in merges]

    monkeypatch.setattr(sweeper, "measure", measure)
    monkeypatch.setattr(sweeper, "worth_a_build", worth_a_build)
    return measured


def test_the_fastest_within_a_drop_is_found_by_halves(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = start()
    measured = losing(monkeypatch, sweeper)
    best, rows = fastest(sweeper, SINGLE, 12, max_drop=3.5)
    assert best.merge == SINGLE[8]
    assert measured == [6, 5, 9, 8, 7]  # 6 cannot be built
    assert [row.merge.blocks for row in rows] == [(5,), (9,), (8,), (7,)]
    assert fastest(sweeper, SINGLE[:3], 12, max_drop=0.5)[0] is sweeper.sweep.full_token


def test_the_most_accurate_that_is_fast_enough(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = start()  # the full-token model has 10 FPS
    measured = losing(monkeypatch, sweeper)
    assert most_accurate(sweeper, SINGLE, 12, min_fps=9.0) == (sweeper.sweep.full_token, [])
    assert measured == []
    best, _ = most_accurate(sweeper, SINGLE, 12, min_fps=16.0)
    assert best is not None and best.merge == SINGLE[4]
    assert most_accurate(sweeper, SINGLE, 12, min_fps=25.0)[0] is None


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({}, "advise: expected max_drop or min_fps, got None and None"),
        ({"max_drop": 1.0, "min_fps": 9.0}, "advise: expected max_drop or min_fps, got 1.0 and"),
        ({"max_drop": 101.0}, "max_drop: expected 0 to 100 points of mIoU, got 101"),
        ({"min_fps": 0.0}, "min_fps: expected a number above 0, got 0"),
        ({"min_fps": float("nan")}, "min_fps: expected a number, got nan"),
        ({"max_drop": "1"}, "max_drop: expected a number, got '1'"),
    ],
)
def test_an_advice_needs_one_limit_within_its_range(
    limits: dict[str, Any], problem: str, dataset: Dataset
) -> None:
    with pytest.raises(InputError, match=problem):
        mpm_deploy.advise(RECIPE, dataset, **limits)


@pytest.mark.parametrize("name", ["limit", "timed", "batch_size", "repeats", "threads"])
@pytest.mark.parametrize(
    ("value", "problem"), [(0, "expected 1 or more, got 0"), (1.5, "a whole number, got 1.5")]
)
def test_settings_are_whole_numbers_from_one_up(name: str, value: Any, problem: str) -> None:
    with pytest.raises(InputError, match=f"{name}: .*{re.escape(problem)}"):
        Settings(**{name: value})


def test_settings_of_numpy_are_kept_as_pythons() -> None:
    settings = Settings(limit=np.int64(4), batch_size=np.int32(2))
    assert settings == Settings(limit=4, batch_size=2)
    assert json.dumps(asdict(settings))


def test_the_public_functions_take_what_the_command_line_does(
    tmp_path: Path, dataset: Dataset, timed: list[tuple[str, int]]
) -> None:
    told: list[tuple[int, int, MergeRecipe, bool]] = []
    options: dict[str, Any] = {"schedules": [(1, 3), (9,)], "output": tmp_path / "sweep"}
    found = mpm_deploy.sweep(
        RECIPE,
        dataset.root,
        **options,
        limit=4,
        timed=3,
        on_row=lambda done, total, merge, row: told.append((done, total, merge, row is not None)),
    )
    assert [row.merge for row in found.rows] == [EARLY, LATE]
    assert told == [(1, 2, EARLY, True), (2, 2, LATE, True)]
    assert {"sweep.json", "sweep.csv"} < {path.name for path in (tmp_path / "sweep").iterdir()}
    advice = mpm_deploy.advise(RECIPE, dataset, **options, limit=4, timed=3, max_drop=100.0)
    assert advice.seen == 2 and advice.best in advice.measured
    assert advice.subject == found.subject
    assert len(timed) == 3  # the full-token one and two variants, once each


def test_images_without_label_maps_get_those_of_the_full_token_model(
    image_folder: Path, full_token_artifact: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    dataset = label_images(
        full_token_artifact,
        image_folder,
        tmp_path / "own",
        limit=4,
        progress=lambda *done: told.append(done),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(dataset) == 4
    found = evaluate(full_token_artifact, dataset)
    assert found.pixel_accuracy == 1.0 and found.mean_iou == 1.0


def test_label_maps_of_other_images_are_taken_away(
    image_folder: Path, full_token_artifact: Path, tmp_path: Path
) -> None:
    sizes = [
        len(label_images(full_token_artifact, image_folder, tmp_path / "own", limit=limit))
        for limit in (3, 2)
    ]
    assert sizes == [3, 2]


def test_images_that_the_model_fails_on_are_told_with_its_reason(tmp_path: Path) -> None:
    write_failing_artifact(tmp_path / "failing.pt")
    (tmp_path / "white").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (20, 20), "white").save(tmp_path / "white" / name)
    problem = r"white: none of its 2 images could be used; the first: .*a\.png: .*not finite"
    with pytest.raises(InputError, match=problem):
        label_images(tmp_path / "failing.pt", tmp_path / "white", tmp_path / "own")


def test_rows_of_other_label_maps_are_refused(start: Start, dataset: Dataset) -> None:
    start()
    sample = dataset.samples[0]
    write_label_file(sample.labels, dataset.labels(sample)[::-1])
    with pytest.raises(InputError, match="a sweep of another samples"):
        start()


def test_doubts_of_the_data_set_are_kept(start: Start, dataset: Dataset) -> None:
    for sample, size in zip(dataset, SIZES, strict=True):
        write_label_file(sample.labels, np.zeros(size))
    start()
    assert start().sweep.doubts == ("the label maps hold no class but 0 (class 0)",)
