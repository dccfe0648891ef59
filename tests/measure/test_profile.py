"""The profile: parts that sum up to the whole, and the token count from which merging pays."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mpm_deploy.build import build, make_model
from mpm_deploy.errors import InputError
from mpm_deploy.images import find_images
from mpm_deploy.measure import break_even as break_even_module
from mpm_deploy.measure.break_even import Size, _pays_from, find_break_even
from mpm_deploy.measure.profile import Profile, profile
from mpm_deploy.measure.report import Spread
from mpm_deploy.measure.stopwatch import Part, Stopwatch
from mpm_deploy.structure import read_structure
from mpm_deploy.tables import break_even_sentence, parts_table, stages_table
from tests.conftest import INPUT_SIZE, small_recipe

RECIPE = small_recipe()


@pytest.fixture(scope="module")
def found(artifact: Path, full_token_artifact: Path, image_folder: Path) -> Profile:
    return profile(artifact, image_folder, against=full_token_artifact, limit=3)


def test_the_artifacts_stages(found: Profile) -> None:
    stages = [stage for stage in found.stages if stage.source == "artifact"]
    assert [stage.name for stage in stages] == ["decode", "fit", "copy", "scores", "labels"]
    assert all(stage.ms > 0 and stage.ms_full_token is not None for stage in stages)
    assert found.images == 3


def test_the_eager_models_parts(found: Profile) -> None:
    parts = [stage for stage in found.stages if stage.source == "eager"]
    merges = [part for part in parts if part.name == "merge"]
    assert [part.block for part in merges] == [2, 5]
    assert [part.ms_full_token for part in merges] == [None, None]
    for name in ("attention", "MLP"):
        assert [part.block for part in parts if part.name == name] == list(range(12))
    assert {p.name for p in parts if p.block is None} == {
        *("embed", "decoder", "reconstruct", "other")
    }
    assert all(part.ms > 0 for part in parts)


def test_the_document_gives_back_what_was_found(found: Profile) -> None:
    assert read_structure(Profile, json.loads(json.dumps(found.to_dict()))) == found


def test_tables_sum_up(found: Profile) -> None:
    stages = stages_table(found)
    assert list(stages.columns[0].cells)[-1] == "sum"
    parts = parts_table(found)
    assert list(parts.columns[0].cells)[:3] == ["block 0", "block 1", "block 2"]
    total = sum(stage.ms for stage in found.stages if stage.source == "eager")
    assert float(str(list(parts.columns[4].cells)[-1])) == pytest.approx(total, rel=0.01)


@pytest.mark.parametrize("reconstruct", ["after_decoder", "before_decoder"])
def test_watching_changes_no_answer_and_counts_no_time_twice(reconstruct: str) -> None:
    recipe = RECIPE.override(f"merge.reconstruct={reconstruct}")
    torch.manual_seed(0)
    watched = make_model(recipe)[0].eval()
    plain = make_model(recipe)[0].eval()
    plain.load_state_dict(watched.state_dict())
    images = torch.randint(0, 256, (2, 3, *INPUT_SIZE), dtype=torch.uint8)
    begin = time.perf_counter()
    lap = Stopwatch(watched).time(images)
    whole_ms = (time.perf_counter() - begin) * 1e3
    with torch.inference_mode():
        assert torch.equal(watched(images)[0], plain(images)[0])
    assert lap[Part("other")] >= 0 and lap[Part("reconstruct")] >= 0
    assert lap[Part("decoder")] > 0
    assert 0 < sum(lap.values()) <= whole_ms


def test_weights_that_are_gone_leave_the_stages(image_folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    package = Path(__file__).parent.parent.parent / "mpm_deploy" / "weights"
    demo = next(package.rglob("*.safetensors"))
    shutil.copy(demo, weights)
    shutil.copy(demo.with_suffix(".toml"), weights.with_suffix(".toml"))
    recipe = RECIPE.with_weights(str(weights))
    recipe = replace(recipe, model=replace(recipe.model, classes=None))
    artifact = build(recipe, tmp_path / "it.pt")
    weights.unlink()
    found = profile(artifact, image_folder, limit=2)
    assert {stage.source for stage in found.stages} == {"artifact"}
    assert "the eager model is not timed" in found.remarks[0]
    assert str(weights) in found.remarks[0]


def test_break_even_at_small_sizes(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(break_even_module, "SIDES", (2, 4))
    said: list[str] = []
    found = find_break_even(RECIPE, find_images(image_folder), said.append)
    assert [even.batch_size for even in found] == [1, 2]
    assert all([size.tokens for size in even.sizes] == [4, 16] for even in found)
    assert said == ["the eager model at 4 tokens", "the eager model at 16 tokens"]


def test_from_where_on_it_pays() -> None:
    def sizes(*least: float) -> list[Size]:
        spreads = [Spread(ratio + 0.1, ratio, ratio + 0.2) for ratio in least]
        return [Size(16 * n, spread) for n, spread in enumerate(spreads, start=1)]

    assert _pays_from(sizes(0.9, 1.1, 1.2)) == 32
    assert _pays_from(sizes(1.1, 0.99, 1.2)) == 48
    assert _pays_from(sizes(1.1, 1.2, 0.99)) is None
    assert _pays_from(sizes(1.1, 1.2)) == 16


def test_what_is_said_of_it() -> None:
    even = break_even_module.BreakEven(1, None, ())
    assert "does not pay at any" in break_even_sentence(even)
    assert "pays from 64 tokens on" in break_even_sentence(replace(even, pays_from=64))


def test_no_image_that_can_be_decoded(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no")
    with pytest.raises(InputError, match="none of the 1 images can be decoded"):
        find_break_even(RECIPE, find_images(tmp_path), lambda _: None)
