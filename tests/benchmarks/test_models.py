"""The images that engines are calibrated, timed and judged with."""

from pathlib import Path

import pytest

from benchmarks.peers import contestants
from benchmarks.peers.compare import GROUPS
from benchmarks.peers.engines import PEERS
from benchmarks.peers.models import MODELS, calibration_images, copied, judged_images, spread_over
from benchmarks.peers.variants import Variant
from benchmarks.record import IMAGES
from mpm_deploy.images.decode import find_images


def test_no_engine_is_judged_by_an_image_that_it_has_seen() -> None:
    seen, judged = calibration_images(), judged_images()
    assert not {*seen} & {*judged}
    assert sorted([*seen, *judged]) == sorted(find_images(IMAGES))
    assert (len(seen), len(judged)) == (24, 48)


def test_a_few_images_are_spread_over_all(tmp_path: Path) -> None:
    images = find_images(IMAGES)
    few = spread_over(images, 3)
    assert few[0] == images[0] and few[-1] == images[-1]
    assert spread_over(images[:2], 5) == images[:2]
    assert find_images(copied(few, tmp_path / "few")) == [tmp_path / "few" / i.name for i in few]


def test_only_trained_weights_are_judged_against_the_truth() -> None:
    assert [name for name, model in MODELS.items() if model.trained] == ["demo"]


def test_what_merges_is_merged_by_every_schedule() -> None:
    variants = [*MODELS["demo"].variants([Variant("int8"), Variant(merged=True)])]
    assert [each.name for each in variants] == [
        *("int8-full_token", "float32-merged", "float32-merged-1-2-5"),
    ]
    assert [each.tokens for each in variants] == ["full-token", "merged", "merged 1, 2, 5"]
    recipes = [each.changed(MODELS["demo"].recipe()) for each in variants]
    assert [recipe.merge.blocks for recipe in recipes] == [(), (2, 5), (1, 2, 5)]


def test_ours_is_built_by_every_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[list[str]] = []
    monkeypatch.setattr(contestants, "_run", built.append)
    for one in contestants.contestants(MODELS["demo"], tmp_path, ["cpu_bf16, Python"]):
        one.prepare(tmp_path)
    merged, other, full = (command[command.index("cpu_bf16") + 1 : -2] for command in built)
    assert (merged, other, full) == ([], ["--set=merge.blocks=[1, 2, 5]"], ["--full-token"])
    assert len({command[-1] for command in built}) == 3


def test_eight_bits_are_calibrated_on_the_scenes_that_nothing_is_judged_by() -> None:
    folder = MODELS["demo"].recipe("cpu_int8").backend.calibration
    assert [path.name for path in find_images(folder)] == [p.name for p in calibration_images()]


def test_every_precision_takes_turns_in_one_group() -> None:
    precisions = {variant.dtype for peer in PEERS.values() for variant in peer.variants}
    assert sorted(precisions) == sorted(dtype for group in GROUPS for dtype in group)
