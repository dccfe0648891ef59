"""What a sweep tries, and what is refused before anything is built."""

import tomllib
from dataclasses import dataclass

import numpy as np
import pytest

from mpm_deploy.errors import InputError, ModelError, RecipeError
from mpm_deploy.measure.search.variants import (
    all_variants,
    cures_of_a_sweep,
    default_schedules,
    name_of,
    recipe_lines,
)
from mpm_deploy.models.reductions import Tome
from mpm_deploy.recipe import MergeRecipe, Recipe

RECIPE = Recipe("any", merge=MergeRecipe(reconstruct="before_decoder"))


def test_default_schedules_of_twelve_blocks() -> None:
    schedules = default_schedules(12)
    assert schedules[:12] == [(block,) for block in range(12)]
    assert {(2, 5), (0, 2, 5), (1, 2, 5), (0, 1, 2, 5)} < {*schedules}
    assert len(schedules) == len(set(schedules)) == 12 + 15 + 20 + 15


@pytest.mark.parametrize("depth", [2, 3, 24])
def test_default_schedules_fit_any_depth(depth: int) -> None:
    for schedule in default_schedules(depth):
        assert list(schedule) == sorted({*schedule}) and max(schedule) < depth


def test_every_method_takes_the_schedules_it_can() -> None:
    variants = all_variants(RECIPE, 12, ["mpm", "tome:ratio=0.2", "algm:threshold=0.9"])
    by_method = {method: [v for v in variants if v.method == method] for method in ("mpm", "algm")}
    assert len(variants) == 62 + 62 + 15
    assert len(by_method["mpm"]) == 62
    assert all(len(variant.blocks) == 2 for variant in by_method["algm"])
    assert {variant.reconstruct for variant in variants} == {"before_decoder"}
    assert name_of(variants[62]) == "tome [0] ratio=0.2"
    assert name_of(RECIPE.full_token().merge) == "full-token"


def test_schedules_are_whole_numbers_of_any_kind() -> None:
    (variant,) = all_variants(RECIPE, 12, ["mpm"], [(np.int64(2), 5)])
    assert variant.blocks == (2, 5)
    for schedule in [(1.5,), (True,), ("1",)]:
        with pytest.raises(InputError, match=r"schedule\[0\]: expected a whole number, got "):
            all_variants(RECIPE, 12, ["mpm"], [schedule])
    with pytest.raises(InputError, match="schedule: expected a list, got 2"):
        all_variants(RECIPE, 12, ["mpm"], [2])


def test_options_of_a_method() -> None:
    (variant,) = all_variants(RECIPE, 12, ["tome:ratio=0.2,proportional_attention=false"], [(2, 5)])
    assert variant.member.ratio == 0.2 and not variant.member.proportional_attention
    assert name_of(variant) == "tome [2, 5] ratio=0.2 proportional_attention=False"


def test_recipe_lines_say_false_and_quote_strings() -> None:
    class Method(Tome):
        proportional_attention: bool = True
        note: str = ""

    method = dataclass(frozen=True)(Method)
    merge = MergeRecipe("tome", (2,), member=method(0.2, None, False, note='a "b"'))
    written = tomllib.loads(recipe_lines(merge))["merge"]
    assert written["proportional_attention"] is False and written["note"] == 'a "b"'


def test_sharing_comes_before_all_other_merges() -> None:
    schedules = [v.blocks for v in all_variants(RECIPE, 12, ["cts:shared=3"])]
    assert schedules[:3] == [(0,), (0, 1), (0, 2)]
    assert all(blocks[0] == 0 for blocks in schedules) and (0, 1, 2, 3) in schedules
    with pytest.raises(RecipeError, match=r"cts .2, 5.: merge.blocks: expected block 0 first"):
        all_variants(RECIPE, 12, ["cts:shared=3"], [(2, 5)])


@pytest.mark.parametrize("merge", all_variants(RECIPE, 12, ["mpm", "tome:r=16"], [(1,), (2, 5)]))
def test_recipe_lines_can_be_pasted(merge: MergeRecipe) -> None:
    assert Recipe.from_dict({"name": "x", **tomllib.loads(recipe_lines(merge))}).merge == merge


@pytest.mark.parametrize(
    ("methods", "schedules", "problem"),
    [
        (["tome"], [], "tome [0]: merge.ratio: expected ratio or r, got neither"),
        (["algm:threshold=0.9"], [(2,)], "merge.blocks: expected 2 blocks with method 'algm'"),
        (["mpm:ratio=0.1"], [], "merge.ratio: unknown key with merge method 'mpm'"),
        (["pumpkin"], [], "merge.method: unknown value 'pumpkin'; allowed are mpm"),
        (["tome:ratio"], [], "expected a name, and options behind it"),
        (["mpm"], [(2, 12)], "schedule: expected rising block numbers from 0 to 11, got [2, 12]"),
        (["mpm"], [(5, 5)], "expected rising block numbers from 0 to 11, got [5, 5]"),
        (["mpm"], [(2, 5), (2, 5)], "mpm [2, 5]: asked for twice"),
        (["mpm", "mpm"], [], "mpm [0]: asked for twice"),
    ],
)
def test_what_is_refused(
    methods: list[str], schedules: list[tuple[int, ...]], problem: str
) -> None:
    with pytest.raises((InputError, RecipeError, ModelError)) as caught:
        all_variants(RECIPE, 12, methods, schedules)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("method", "schedule", "cure"),
    [
        ("tome", (0,), "as in --method tome:ratio=0.1"),
        ("algm", (0, 4), "as in --method algm:threshold=0.9"),
        ("algm:threshold=0.9", (2,), "as in --schedule 0,4"),
        ("cts:shared=3", (2, 5), "as in --schedule 0, or --schedule 0,2,5"),
    ],
)
def test_cures_are_options_of_a_sweep(method: str, schedule: tuple[int, ...], cure: str) -> None:
    with pytest.raises(RecipeError) as caught:
        all_variants(RECIPE, 12, [method], [schedule])
    assert caught.value.hint == cure
    all_variants(RECIPE, 12, *_as_the_cure_says(method, schedule, cure))


def _as_the_cure_says(
    method: str, schedule: tuple[int, ...], cure: str
) -> tuple[list[str], list[tuple[int, ...]]]:
    """Return methods and schedules with the option that a cure names in place of what failed."""
    option, value = cure.removeprefix("as in ").removesuffix(", or --schedule 0,2,5").split()
    if option == "--method":
        return [value], [schedule]
    return [method], [tuple(map(int, value.split(",")))]


def test_cures_for_a_model_are_options_of_a_sweep_too() -> None:
    for said, cure in {
        "another method: --set merge.method=mpm": "another method: --method mpm",
        "take --set model.image_size=[512,512]": "take --set model.image_size=[512,512]",
    }.items():
        with pytest.raises(ModelError) as caught, cures_of_a_sweep("cts"):
            raise ModelError("no weights", said)
        assert caught.value.hint == cure
