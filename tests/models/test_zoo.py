"""The zoo has the models of the paper's tables, at the cost that the paper says."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from mpm_deploy.errors import InputError, ModelError
from mpm_deploy.models import MODELS, create
from mpm_deploy.models.summary import model_facts
from mpm_deploy.models.zoo import outline
from mpm_deploy.recipe import builtin_recipes, load_recipe
from mpm_deploy.recipe.paper import ROWS, TASKS, find_task

RESULTS = Path(__file__).parents[2] / "benchmarks" / "paper" / "results.csv"

# The paper's words for what a row of ours says.
TASKS_OF = {
    ("ADE20K", "512"): "ade20k",
    ("ADE20K", "896"): "ade20k_896",
    ("Pascal Context", "480"): "pascal_context",
    ("Cityscapes", "768"): "cityscapes",
}
RECIPES = {
    ("H100", "float32 without FlashAttention"): "h100_fp32",
    ("H100", "float32"): "h100_fp32",
    ("H100", "bfloat16 with FlashAttention-2"): "h100_bf16",
    ("Raspberry Pi 5", "float32"): "rpi5_fp32",
    ("A100", ""): "h100_bf16",
}
NAMES = {
    "Seg-T/16": "seg_t16_mask",
    "Seg-S/16": "seg_s16_mask",
    "Seg-B/16": "seg_b16_mask",
    "Seg-L/16": "seg_l16_mask",
    "Seg-B/8": "seg_b8_linear",
    "ViT-T/16": "seg_t16_mask",
    "ViT-S/16": "seg_s16_mask",
    "ViT-B/16": "seg_b16_mask",
    "ViT-L/16": "seg_l16_mask",
    "ViT-S/16 Mask": "seg_s16_mask",
    "ViT-B/16 Mask": "seg_b16_mask",
    "ViT-L/16 Mask": "seg_l16_mask",
    "DeiT-B/16 Mask": "seg_deit_b16_mask",
    "ViT-B/16 Linear": "seg_b16_linear",
    "EVA-01 ViT-Adapter Mask2Former": "eva_g16_mask2former",
}


def full_token_results() -> list[dict[str, str]]:
    with RESULTS.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["method"] == "full"]


def task_of(row: dict[str, str]) -> str:
    return TASKS_OF[row["dataset"], row["image_px"]]


def test_every_row_of_the_papers_tables_can_be_asked_for() -> None:
    expected = {
        (
            int(row["table"]),
            RECIPES[row["hardware"], row["precision"]],
            task_of(row),
            NAMES[row["model"]],
        )
        for row in full_token_results()
    }
    ours = [(row.table, row.recipe, row.dataset, row.model) for row in ROWS]
    assert set(ours) == expected
    assert max(Counter(ours).values()) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.table}-{row.dataset}-{row.model}")
def test_a_row_is_a_recipe(row) -> None:
    assert row.recipe in {recipe.name for recipe in builtin_recipes()}
    task = find_task(row.dataset)
    overrides = (f"model.name={row.model}", "model.weights=random", *task.overrides())
    recipe = load_recipe(row.recipe).override(*overrides, *row.settings)
    assert recipe.model.name == row.model
    assert (recipe.model.image_size, recipe.model.classes) == (task.image_size, task.classes)
    assert recipe.merge.blocks == (2, 5)
    sizes = {int(r["image_px"]) for r in full_token_results() if task_of(r) == row.dataset}
    assert sizes == {*task.image_size}


def unit_of(printed: str) -> float:
    """What the last digit of a figure counts; the paper prints four digits no further than tens."""
    if "." in printed:
        return 0.1
    return 10 if len(printed) > 3 else 1


def check_gflops(ours: float, printed: str) -> None:
    """Within one unit of the last digit printed.

    Not half a unit: the paper's own figures are rounded both ways. It prints 258 for ViT-B and 259
    for DeiT-B, which has one token more and so 0.24 GFLOPs: no counter that gives both rounds both
    to the nearest. Ours gives 258.59 and 258.83.
    """
    assert abs(ours - float(printed)) < unit_of(printed), f"{ours:.2f} is not {printed}"


@pytest.mark.parametrize(
    "row",
    [row for row in full_token_results() if row["GFLOPs"]],
    ids=lambda row: f"{row['table']}-{row['model']}",
)
def test_full_token_models_cost_what_the_paper_says(row: dict[str, str]) -> None:
    task = TASKS[task_of(row)]
    gflops = model_facts(NAMES[row["model"]], task.image_size, task.classes).gflops
    # Table 3 alone counts a multiply-add once: 116 is half of what is counted elsewhere.
    check_gflops(gflops / 2 if row["table"] == "3" else gflops, row["GFLOPs"])


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("seg_t16_mask", "25"),
        ("seg_s16_mask", "77"),
        ("seg_b16_mask", "258"),
        ("seg_l16_mask", "800"),
    ],
)
def test_the_mask_models_cost_what_was_worked_out_by_hand(name: str, printed: str) -> None:
    check_gflops(model_facts(name).gflops, printed)


def test_b8_with_a_mask_transformer_is_not_the_papers() -> None:
    """Why Table 1's Seg-B/8 is the linear one."""
    with pytest.raises(AssertionError, match="is not 1320"):
        check_gflops(model_facts("seg_b8_mask").gflops, "1320")


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_t16_linear"])
def test_an_outline_has_the_shapes_of_the_model(name: str) -> None:
    model = create(name, classes=7, image_size=(64, 96))
    shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
    ours = outline(name, classes=7, image_size=(64, 96))
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == shapes
    assert all(parameter.is_meta for parameter in ours.parameters())
    facts = model_facts(name, (64, 96), 7)
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_facts_say_what_a_model_is() -> None:
    facts = {name: model_facts(name) for name in MODELS}
    assert [name for name in facts if facts[name].has_demo] == ["seg_t16_mask", "eomt_t16"]
    assert {fact.special_tokens for name, fact in facts.items() if "deit" in name} == {2}
    assert {fact.head for name, fact in facts.items() if name.endswith("linear")} == {"linear"}


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(ModelError, match="'vit'"):
        model_facts("vit")
    with pytest.raises(ModelError, match="multiples of the patch size 16"):
        model_facts("seg_t16_mask", (100, 100))
    with pytest.raises(
        InputError, match="'coco': expected one of ade20k, ade20k_896, pascal_context, cityscapes"
    ):
        find_task("coco")
