"""The profile: parts that sum up to the whole, and the token count from which merging pays."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from mpm_deploy.builder.build import build
from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import InputError, ModelError
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.profile import break_even as break_even_module
from mpm_deploy.measure.profile import profile as profile_module
from mpm_deploy.measure.profile.break_even import Size, _pays_from, find_break_even
from mpm_deploy.measure.profile.profile import Profile, profile
from mpm_deploy.measure.profile.stopwatch import Part, Stopwatch
from mpm_deploy.measure.speed.report import Spread
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import DEMO_WEIGHTS
from mpm_deploy.recipe import Recipe
from mpm_deploy.run.runner import Runner
from mpm_deploy.show.tables import break_even_sentence, parts_table, stages_table
from mpm_deploy.support.schema import read_structure
from tests.conftest import INPUT_SIZE, small_recipe
from tests.models.small_eva import OPTIONS

RECIPE = small_recipe()
SHARING = RECIPE.override("merge.method=cts", "merge.blocks=[0,2]", "merge.shared=3")
ADAPTED = RECIPE.override(*OPTIONS)


def eager(recipe: Recipe) -> Segmenter:
    return make_model(recipe)[0]


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
@pytest.mark.parametrize("recipe", [RECIPE, SHARING, ADAPTED], ids=["mpm", "cts", "adapter"])
def test_watching_changes_no_answer_and_counts_no_time_twice(
    recipe: Recipe, reconstruct: str
) -> None:
    recipe = recipe.override(f"merge.reconstruct={reconstruct}")
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
    assert (lap.get(Part("adapter"), 0) > 0) == (recipe.model == ADAPTED.model)
    assert all(lap[Part("merge", block)] > 0 for block in recipe.merge.blocks)
    assert 0 < sum(lap.values()) <= whole_ms


def test_weights_that_are_gone_leave_the_stages(image_folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    shutil.copy(DEMO_WEIGHTS, weights)
    shutil.copy(DEMO_WEIGHTS.with_suffix(".toml"), weights.with_suffix(".toml"))
    recipe = RECIPE.with_weights(str(weights))
    recipe = replace(recipe, model=replace(recipe.model, classes=None))
    artifact = build(recipe, tmp_path / "it.pt")
    weights.write_bytes(_other_weights(weights))
    _assert_only_stages(profile(artifact, image_folder, limit=2), "expected the weights", weights)
    weights.unlink()
    _assert_only_stages(profile(artifact, image_folder, limit=2), "cannot be read", weights)


def _other_weights(path: Path) -> bytes:
    """As many numbers of the same names, one of which is another."""
    tensors = safetensors.torch.load_file(path)
    first = min(tensors)
    return safetensors.torch.save(tensors | {first: tensors[first] + 1})


def _assert_only_stages(found: Profile, problem: str, weights: Path) -> None:
    assert {stage.source for stage in found.stages} == {"artifact"}
    (remark,) = found.remarks
    assert remark.startswith(f"the eager model is not timed: {weights}: {problem}")
    assert remark.endswith(f"; put back the weights it was built from, {weights}, or build it anew")


def test_a_full_token_artifact_has_nothing_to_hold_against(
    full_token_artifact: Path, image_folder: Path
) -> None:
    found = profile(full_token_artifact, image_folder, limit=2)
    assert all(stage.ms_full_token is None for stage in found.stages)
    assert "merge" not in {stage.name for stage in found.stages}
    with pytest.raises(InputError, match="expected an artifact that merges"):
        profile(full_token_artifact, image_folder, break_even=True)


def test_all_windows_of_an_image_are_timed(image_folder: Path, tmp_path: Path) -> None:
    recipe = RECIPE.override("input.fit=slide", "input.stride=32")
    artifact = build(recipe, tmp_path / "slide.pt")
    calls: list[int] = []
    original = Stopwatch.time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Stopwatch, "time", lambda own, x: calls.append(x.shape[0]) or original(own, x)
        )
        profile(artifact, image_folder, limit=3)
    with Runner(artifact) as runner:
        windows = [len(runner.load(file).windows) for file in find_images(image_folder)[:3]]
    assert max(windows) > 1
    assert calls[-6:] == [count for count in windows for _ in ("merged", "full-token")]


def test_the_callers_threads_stay(artifact: Path, image_folder: Path) -> None:
    before = torch.get_num_threads()
    profile(artifact, image_folder, limit=1, threads=before + 1)
    assert torch.get_num_threads() == before


def test_break_even_at_small_sizes(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(break_even_module, "SIDES", (2, 4))
    said: list[str] = []
    found, left_out = find_break_even(RECIPE, eager, find_images(image_folder), said.append)
    assert [even.batch_size for even in found] == [1, 2]
    assert left_out == []
    assert all([size.tokens for size in even.sizes] == [4, 16] for even in found)
    assert said == ["the eager model at 4 tokens", "the eager model at 16 tokens"]


def test_a_recipe_that_pads_still_does_at_other_sizes(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(break_even_module, "SIDES", (2,))
    padded = RECIPE.override("model.image_size=[72, 96]", "input.pad=center")  # no whole patches
    (found, _), _ = find_break_even(padded, eager, find_images(image_folder), lambda _: None)
    assert [size.tokens for size in found.sizes] == [4]


def test_what_is_shared_grows_with_the_image(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(break_even_module, "SIDES", (2, 4, 8))
    shared: list[int] = []

    def make(recipe: Recipe) -> Segmenter:
        if recipe.merge.blocks:
            shared.append(recipe.merge.member.shared)
        return eager(recipe)

    find_break_even(SHARING, make, find_images(image_folder), lambda _: None)
    assert shared == [3, 1, 2, 8]  # of 6 superpatches, and of 1, 4 and 16


def test_each_turn_of_a_break_even_takes_the_next_images(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(break_even_module, "SIDES", (2,))
    monkeypatch.setitem(break_even_module.BATCHES, "cpu", (2, 6))
    timed: list[torch.Tensor] = []
    monkeypatch.setattr(
        break_even_module, "_seconds", lambda _, images: timed.append(images) or 1.0
    )
    found, left_out = find_break_even(RECIPE, eager, find_images(image_folder), lambda _: None)
    assert [even.batch_size for even in found] == [2]
    assert left_out[0].startswith("no break-even at batch 6: it needs as many different images")
    merged, full_token = timed[::2], timed[1::2]
    assert all(torch.equal(*pair) for pair in zip(merged, full_token, strict=True))
    assert len({image.numpy().tobytes() for batch in merged for image in batch}) == 5


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


def test_what_fails_of_a_break_even_leaves_the_parts(
    artifact: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ModelError("the model cannot be so small")

    monkeypatch.setattr(profile_module, "find_break_even", fail)
    found = profile(artifact, image_folder, limit=1, break_even=True)
    assert {stage.source for stage in found.stages} == {"artifact", "eager"}
    assert found.remarks == ("no break-even: the model cannot be so small",)


def test_no_image_that_can_be_decoded(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no")
    with pytest.raises(InputError, match="none of its 1 images could be used; the first: "):
        find_break_even(RECIPE, eager, find_images(tmp_path), lambda _: None)
