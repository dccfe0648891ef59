"""Recipes are read strictly: what is wrong is named with its file, its key and what was allowed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpm_deploy.errors import RecipeError
from mpm_deploy.families import ENCODERS, HEADS
from mpm_deploy.recipe import (
    BackendRecipe,
    InputRecipe,
    MergeRecipe,
    ModelRecipe,
    Recipe,
    VerifyRecipe,
    builtin_recipes,
    load_recipe,
)
from mpm_deploy.recipe.model_names import MODELS, backbones, model_name, split_name
from tests.support.toy_members import FineHead, ToyEncoders


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("cpu_portable_fp32")


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_builtin_recipes_are_there_with_a_description() -> None:
    recipes = {recipe.name: recipe for recipe in builtin_recipes()}
    on_cpus = {"cpu_portable_fp32", "rpi5_fp32", "cpu_fp32", "cpu_bf16", "cpu_int8"}
    on_cpus |= {"cpu_onnxruntime_fp32"}
    on_gpus = {"h100_bf16", "h100_fp32", "rtx_fp16", "h100_tensorrt_bf16", "jetson_orin_fp16"}
    assert on_cpus | on_gpus <= recipes.keys()
    assert all(recipe.description for recipe in recipes.values())
    assert recipes["cpu_portable_fp32"].backend.name == "torchscript"
    assert recipes["cpu_fp32"].backend.name == "aotinductor"
    assert recipes["h100_bf16"].backend.member.cuda_capability == (9, 0)


def test_a_model_has_a_short_name_or_both_its_parts() -> None:
    for name, pair in MODELS.items():
        assert model_name(*pair) == name and split_name(name) == pair
        assert split_name(f"{pair.backbone}+{pair.head}") == pair
        assert pair.backbone in backbones()
    assert model_name("toy", "linear") == "toy+linear"
    assert split_name("toy+linear") is None and split_name("vit_tiny_patch16") is None


def test_an_unknown_backbone_is_told_the_nearest_that_is_known_listed_or_not(
    recipe: Recipe,
) -> None:
    for backbone, near in (
        ("vit_smal_patch16", "vit_small_patch16"),
        ("vit_medium_patch16_gap_25", "vit_medium_patch16_gap_256"),
    ):
        with pytest.raises(RecipeError) as caught:
            recipe.override(f"model.backbone={backbone}", "model.head=linear")
        assert f"unknown value '{backbone}'" in caught.value.problem
        assert len(caught.value.problem) < 260
        assert caught.value.hint == f"did you mean {near!r}?"


def test_a_recipe_names_a_backbone_and_a_head_with_its_options(recipe: Recipe) -> None:
    changed = recipe.override(
        "model.weights=random",
        "model.backbone=vit_small_patch16",
        "model.head=mask_transformer",
        "model.depth=1",
    )
    assert changed.model.full_name == "seg_s16_mask" and changed.model.member.depth == 1
    assert Recipe.from_dict(changed.to_dict()) == changed
    by_timms_name = changed.override("model.backbone=vit_medium_patch16_gap_256")
    assert by_timms_name.model.full_name == "vit_medium_patch16_gap_256+mask_transformer"
    one_part = "model: expected a name, or a backbone and a head, got"
    for assignments, problem in (
        (("model.backbone=vit_small_patch16",), one_part),
        (("model.head=linear", "model.name=seg_t16_mask"), one_part),
        (("model.backbone=vit_huge", "model.head=linear"), "model.backbone: unknown value"),
        (("model.backbone=vit_small_patch16", "model.head=line"), "model.head: unknown value"),
        (("model.depth=1",), "model.depth: unknown key"),
        (("model.backbone=vit_small_patch16", "model.head=eomt", "model.upscaling=6"), "at most 5"),
        (("model.name=seg_t16",), "model.name: unknown value 'seg_t16'; allowed are seg_t16_mask"),
    ):
        with pytest.raises(RecipeError) as caught:
            recipe.override(*assignments)
        assert problem in caught.value.problem


@pytest.fixture
def toys() -> Iterator[None]:
    """A backbone whose option is its depth, and a head whose option is a bias."""
    ENCODERS.add("toys", ToyEncoders)
    HEADS.add("fine", FineHead)
    yield
    ENCODERS.remove("toys")
    HEADS.remove("fine")


@pytest.mark.usefixtures("toys")
def test_options_of_a_backbone_and_of_a_head_stand_in_one_table(recipe: Recipe) -> None:
    parts = ("model.weights=random", "model.backbone=toy_patch16", "model.head=fine")
    changed = recipe.override(*parts, "model.depth=2", "model.bias=false")
    assert changed.model.family == ToyEncoders(depth=2)
    assert changed.model.member == FineHead(bias=False)
    assert changed.to_dict()["model"].items() >= {"depth": 2, "bias": False}.items()
    assert Recipe.from_dict(changed.to_dict()) == changed
    assert changed.override("model.depth=").model.family == ToyEncoders()


@pytest.mark.usefixtures("toys")
def test_another_backbone_leaves_the_options_of_the_first_behind_and_not_the_heads(
    recipe: Recipe,
) -> None:
    parts = ("model.weights=random", "model.backbone=toy_patch16", "model.head=fine")
    toy = recipe.override(*parts, "model.depth=2", "model.bias=false")
    other = toy.override("model.backbone=vit_tiny_patch16")
    assert other.model.member == FineHead(bias=False) and "depth" not in other.to_dict()["model"]
    assert toy.override("model.head=linear").model.family == ToyEncoders(depth=2)
    assert toy.with_model("seg_t16_mask").model.family is None
    assert toy.with_weights("demo").model.family is None


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("assignments", "problem", "hint"),
    [
        (
            ("model.backbone=vit_tiny_patch16", "model.head=linear", "model.bias=false"),
            "model.bias: unknown key with backbone 'vit_tiny_patch16' and head 'linear'",
            "leave it out, or set head to 'fine'",
        ),
        (
            ("model.backbone=vit_tiny_patch16", "model.head=linear", "model.stem_width=8"),
            "model.stem_width: unknown key with",
            "leave it out, or set backbone to 'eva_giant_patch16_adapter'",
        ),
        (
            ("model.backbone=toy_patch16", "model.head=mask_transformer"),
            "model.head: expected one that has no option named 'depth', as another member has one",
            None,
        ),
        (
            ("model.backbone=toy_patch16", "model.head=fine", "model.depth=deep"),
            "model.depth: expected a whole number, got 'deep'",
            None,
        ),
    ],
)
def test_options_that_the_parts_of_a_model_do_not_take_are_refused(
    recipe: Recipe, assignments: tuple[str, ...], problem: str, hint: str | None
) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe.override("model.weights=random", *assignments)
    assert problem in caught.value.problem
    assert caught.value.hint == hint


def test_defaults_are_the_papers_schedule(recipe: Recipe) -> None:
    assert recipe.merge == MergeRecipe("mpm", (2, 5), "after_decoder")
    assert recipe.model.weights == "demo"


def test_goes_through_json_and_back() -> None:
    for recipe in builtin_recipes():
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_file_is_named_by_its_stem_and_finds_weights_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, '[model]\nweights = "mine.safetensors"')
    recipe = load_recipe(path)
    assert recipe.name == "mine"
    assert recipe.model.weights == str(tmp_path / "mine.safetensors")


@pytest.mark.parametrize("name", ["demo", "demo_cts", "random", "timm:vit_tiny_patch16_224"])
def test_weights_that_are_no_file_stay_what_they_are(tmp_path: Path, name: str) -> None:
    assert load_recipe(write(tmp_path, f'[model]\nweights = "{name}"')).model.weights == name


def test_a_file_finds_photos_beside_it(tmp_path: Path) -> None:
    backend = '[backend]\nname = "aotinductor"\ndtype = "int8"\ncalibration = "photos"'
    verify = '\n[verify]\nphotos = "/other"\ndataset = "scenes"'
    recipe = load_recipe(write(tmp_path, backend + verify))
    assert recipe.backend.calibration == str(tmp_path / "photos")
    assert recipe.verify.photos == "/other"
    assert recipe.verify.dataset == str(tmp_path / "scenes")


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("[merge]\nbefor_blocks = [2]", "merge.befor_blocks: unknown key", "'blocks'"),
        ("[marge]\nblocks = [2]", "marge: unknown key", "'merge'"),
        ("[merge]\nblocks = [5, 2]", "merge.blocks: expected strictly", None),
        ("[merge]\nblocks = [2, 2]", "merge.blocks: expected strictly", None),
        ("[merge]\nblocks = [-1]", "merge.blocks: expected indices from 0 up", None),
        ("[merge]\nblocks = 2", "merge.blocks: expected a list, got 2", None),
        ('[merge]\nmethod = "none"', "merge.method: unknown value 'none'; allowed are mpm", None),
        (
            '[merge]\nmethod = "mmp"',
            "unknown value 'mmp'; allowed are mpm, tome, algm",
            "'mpm'",
        ),
        ('[backend]\nname = "abacus"', "allowed are torchscript, aotinductor", None),
        ('[backend]\ndtype = "float15"', "allowed are float32, bfloat16, float16", "'float16'"),
        ('[backend]\ndtype = "float16"', "'bfloat16' with backend 'torchscript'", "onnxruntime"),
        ('[backend]\ndtype = "int8"', "with backend 'torchscript' on 'cpu'", "cpu_int8"),
        (
            '[backend]\nname = "aotinductor"\ndevice = "cuda"\ndtype = "int8"',
            "with backend 'aotinductor' on 'cuda', got 'int8'",
            "cpu_int8",
        ),
        (
            '[backend]\ncalibration = "photos"',
            "backend.calibration: expected none with dtype 'float32'",
            "'int8'",
        ),
        ("[verify]\nphoto_labels = 2", "verify.photo_labels: expected 0 to 1", None),
        ("[verify]\nmiou_lost = -1.0", "verify.miou_lost: expected 0 to 100 points", None),
        ("[backend]\nmax_batch = 0", "backend.max_batch: expected > 0, got 0", None),
        (
            "[backend]\nmax_batch = true",
            "backend.max_batch: expected a whole number, got True",
            None,
        ),
        (
            "[backend]\ncuda_capability = [9, 0]",
            "cuda_capability: unknown key with backend 'torchscript'",
            "set name to 'aotinductor'",
        ),
        (
            '[backend]\nname = "aotinductor"\ncuda_capability = [9, 0]',
            "backend.cuda_capability: expected none with device 'cpu'",
            "leave it out",
        ),
        (
            '[backend]\nname = "aotinductor"\ncpu = "armv8.2-a"',
            "backend.cpu: unknown value 'armv8.2-a'; allowed are native, x86-64-v3, x86-64-v4",
            None,
        ),
        (
            '[backend]\nname = "aotinductor"\ndevice = "cuda"\ncpu = "x86-64-v3"',
            "backend.cpu: expected 'native' with device 'cuda', got 'x86-64-v3'",
            "leave it out",
        ),
        ('[backend]\nlibtorch = "1.4"', "backend.libtorch: expected one of 2.6, got '1.4'", None),
        ('[merge]\nmethod = "tome"', "merge.ratio: expected ratio or r", "merge.ratio=0.1"),
        ("[merge]\nratio = 0.2", "merge.ratio: unknown key with merge method", "'tome'"),
        ("[model]\nimage_size = [512]", "model.image_size: expected 2 values, got [512]", None),
        ('[model]\nname = "seg_t16_msk"', "model.name: unknown value", "'seg_t16_mask'"),
        ('[model]\nweights = ""', "model.weights: expected 'demo', 'random' or a file", None),
        ("[verify]\nimages = 4", "verify.images: expected 8 or more, got 4", None),
        ("[verify]\nlabels = 99.9", "verify.labels: expected 0 to 1, got 99.9", None),
        ("[input]\nstride = 5", "input.stride: expected none with fit 'resize', got 5", "'slide'"),
        ('[input]\nfit = "slide_evenly"\nstride = 5', "none with fit 'slide_evenly', got 5", None),
        ("[input]\nmax_ratio = 2", "input.max_ratio: expected none with fit", "leave it out"),
        ('[input]\nfit = "slid"', "allowed are resize, slide, slide_evenly", "'slide'"),
        ('[input]\nfit = "slide"\nstride = 0', "input.stride: expected > 0, got 0", None),
        ('[input]\nfit = "slide"\nstride = 9.5', "input.stride: expected a whole number", None),
        ('[input]\nfit = "slide"\nshort_side = 0', "input.short_side: expected 1 to 1048576", None),
        ('[input]\nfit = "slide"\nmax_ratio = 0.5', "input.max_ratio: expected 1 to 1000", None),
        ("merge = 5", "merge: expected a table, got 5", None),
        ("name = 5", "name: expected text, got 5", None),
        ("[merge", "expected TOML", None),
    ],
)
def test_errors_name_the_file_the_key_and_what_was_allowed(
    tmp_path: Path, text: str, problem: str, hint: str | None
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert caught.value.problem.startswith(f"{path}: ")
    assert problem in caught.value.problem
    assert hint is None or hint in (caught.value.hint or "")


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="expected TOML"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "[" * 100_000, "nested too deep"),
        ("a." * 20_000 + "a = 1", "nested too deep"),  # minutes for tomllib
        ("a = " + "1" * 5000, "expected TOML"),
        ("model.classes = 0x" + "f" * 5000, "a whole number of 20000 bits"),
        ("#" * 2**20 + "#", "1048576 bytes at most"),
        ('model.weights = "a\\u0000b"', "model.weights"),
        ("model." + "a" * 10_000 + " = 1", "unknown key"),
        ('model.name = "' + "a" * 10_000 + '"', "unknown value"),
    ],
)
def test_a_small_recipe_costs_little_and_is_quoted_in_short(
    text: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "it.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=problem) as caught:
        load_recipe(path)
    assert len(caught.value.problem) < 600 + len(str(path))


def test_a_missing_file_or_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: cannot be read: No such file"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match=r"did you mean 'cpu_fp32'"):
        load_recipe("cpu_fp23")


def test_override_changes_values_with_the_same_checks(recipe: Recipe) -> None:
    changed = recipe.override("merge.blocks=[1,3]", 'backend.dtype="bfloat16"')
    assert changed.merge.blocks == (1, 3)
    assert changed.backend.dtype == "bfloat16"
    assert recipe.merge.blocks == (2, 5)


def test_override_takes_a_bare_word_for_a_string(recipe: Recipe) -> None:
    assert recipe.override("backend.dtype=bfloat16").backend.dtype == "bfloat16"


def test_overrides_are_checked_together(recipe: Recipe) -> None:
    changed = recipe.override("merge.blocks=[]")
    assert changed.merge == recipe.full_token().merge


def test_another_member_leaves_the_options_of_the_first_behind(recipe: Recipe) -> None:
    tome = recipe.override("merge.ratio=0.2", "merge.method=tome")
    assert tome.merge.member.ratio == 0.2
    algm = tome.override("merge.method=algm", "merge.threshold=0.9")
    assert algm.merge.member.threshold == 0.9 and "ratio" not in algm.to_dict()["merge"]
    assert tome.override("merge.method=") == recipe


def test_an_override_takes_names_with_colons_and_plus_signs(recipe: Recipe) -> None:
    assert recipe.override("model.weights=timm:vit_tiny").model.weights == "timm:vit_tiny"
    pair = recipe.override("model.name=vit_tiny_patch16+linear", "model.weights=random")
    assert pair.model.name == "vit_tiny_patch16+linear"
    assert pair.model.full_name == "seg_t16_linear"  # one name, whichever way it is said


def test_an_emptied_option_takes_its_default_or_is_unknown(recipe: Recipe) -> None:
    tome = recipe.override("merge.method=tome", "merge.ratio=0.2", "merge.r=")
    assert tome.merge.member.ratio == 0.2
    assert recipe.override("merge.blocks=", "merge.blocks=").merge == recipe.merge
    with pytest.raises(RecipeError, match=r"merge\.r: unknown key"):
        recipe.override("merge.r=")


def test_another_model_goes_over_a_backbone_and_a_head(recipe: Recipe) -> None:
    pair = recipe.override("model.backbone=vit_small_patch16", "model.head=linear")
    assert pair.with_model("seg_t16_mask").model.full_name == "seg_t16_mask"
    assert pair.with_weights("demo").model.full_name is None


def test_a_member_is_of_the_kind_that_is_named(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match=r"merge\.member: expected one of merge method 'tome'"):
        replace(recipe.merge, method="tome")


def test_an_override_without_a_value_brings_back_the_default(recipe: Recipe) -> None:
    assert recipe.backend.member.libtorch is not None
    changed = recipe.override("backend.libtorch=", "merge.blocks=", "backend.max_batch= ")
    assert changed.backend.member.libtorch is None
    assert changed.merge == MergeRecipe() and changed.backend.max_batch == 64


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("merge.x=", "merge.x: unknown key"),
        ("merge.blocks", "expected section.key=value"),
        ("blocks=[1]", "expected section.key=value"),
        ("=", "expected section.key=value"),
        ("merge.=[1]", "expected section.key=value"),
        ("name.x=1", "name: expected a section"),
        ("merge.x=1", "merge.x: unknown key"),
        ("merge.blocks=[1", "expected a value in TOML"),
        ("merge.blocks=[3,1]", "expected strictly increasing"),
        ("merge.blocks=true", "expected a list, got True"),
        ("merg.method=mpm", "merg: unknown key"),
    ],
)
def test_override_errors_name_the_option(recipe: Recipe, assignment: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe.override(assignment)
    assert caught.value.problem.startswith("--set: ")
    assert problem in caught.value.problem


def test_full_token_is_the_same_recipe_without_merging(recipe: Recipe) -> None:
    full = recipe.full_token()
    assert (full.merge.method, full.merge.blocks) == ("mpm", ())
    assert (full.model, full.backend) == (recipe.model, recipe.backend)


def test_values_are_checked_in_python_too() -> None:
    with pytest.raises(RecipeError, match=r"backend\.max_batch: expected > 0, got 0"):
        BackendRecipe(max_batch=0)


@pytest.mark.parametrize(
    ("table", "values", "problem"),
    [
        (MergeRecipe, {"blocks": (1.5,)}, "merge.blocks[0]: expected a whole number, got 1.5"),
        (MergeRecipe, {"blocks": (False, True)}, "merge.blocks[0]: expected a whole number, got F"),
        (MergeRecipe, {"blocks": "12"}, "merge.blocks: expected a list, got '12'"),
        (MergeRecipe, {"blocks": (10**30,)}, "merge.blocks[0]: expected a number of 64 bits"),
        (MergeRecipe, {"reconstruct": "x"}, "merge.reconstruct: unknown value 'x'; allowed are"),
        (ModelRecipe, {"classes": "7"}, "model.classes: expected a whole number, got '7'"),
        (ModelRecipe, {"image_size": 64}, "model.image_size: expected a list, got 64"),
        (BackendRecipe, {"max_batch": True}, "backend.max_batch: expected a whole number, got T"),
        (BackendRecipe, {"dtype": "float15"}, "backend.dtype: unknown value 'float15'; allowed"),
        (InputRecipe, {"stride": "9"}, "input.stride: expected a whole number, got '9'"),
        (VerifyRecipe, {"images": 8.5}, "verify.images: expected a whole number, got 8.5"),
    ],
)
def test_a_table_made_by_hand_is_held_to_the_same(
    table: Any, values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        table(**values)
    assert caught.value.problem.startswith(problem)


def test_numbers_of_numpy_may_stand_in_a_recipe() -> None:
    blocks: Any = [np.int64(2), np.uint8(5)]
    assert MergeRecipe(blocks=blocks) == MergeRecipe(blocks=(2, 5))
    recipe = Recipe.from_dict({"name": "it", "merge": {"blocks": blocks}})
    assert json.loads(json.dumps(recipe.to_dict()))["merge"]["blocks"] == [2, 5]
