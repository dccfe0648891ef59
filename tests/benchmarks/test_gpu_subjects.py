"""The rows: the paper's own, found in its tables, each merged by every method."""

from dataclasses import replace

import pytest

from benchmarks.gpu.rows import METHODS, SUBJECTS, TABLES, choose, tome_shares
from benchmarks.paper import paper_row
from mpm_deploy.models.summary import model_facts
from mpm_deploy.recipe.paper import ROWS, Row

PAPERS = [subject for subject in SUBJECTS.values() if subject.in_paper]
HALVED = 3  # table 3's GFLOPs are half of what its models need at 768 pixels, of every method


def test_every_row_of_the_tables_is_there_once() -> None:
    wanted = [row for row in ROWS if row.table in TABLES]
    assert [subject.row for subject in PAPERS] == wanted
    assert len(PAPERS) == 14


def test_every_model_of_table_1_is_there_in_both_precisions() -> None:
    models = [row.model for row in ROWS if row.table == 1]
    for model in models:
        chosen = choose(models=[model])
        assert {s.dtype for s in chosen if s.task.window == 512} == {"float32", "bfloat16"}


@pytest.mark.parametrize("subject", PAPERS, ids=lambda subject: subject.name)
def test_the_papers_figures_are_of_the_same_model(subject) -> None:
    assert subject.paper is not None and subject.paper.ratio("mpm") > 1
    if "full" not in subject.paper.gflops:
        assert subject.row.table == 5
        return
    gflops = model_facts(subject.model, subject.task.image_size, subject.task.classes).gflops
    if subject.row.table == HALVED:
        gflops /= 2
    assert gflops == pytest.approx(subject.paper.gflops["full"], rel=0.02)


def test_the_papers_rows() -> None:
    base = paper_row(Row(5, "h100_bf16", "ade20k", "seg_b16_mask"))
    assert (base.fps["full"], base.fps["mpm"], base.fps["tome"]) == (735, 780, 753)
    assert base.share("tome") is None
    patches_of_8 = Row(1, "h100_fp32", "ade20k", "seg_b8_linear")
    assert paper_row(patches_of_8).ratio("tome") is None
    with pytest.raises(KeyError, match="table 2: no model 'ViT-B/8 Linear'"):
        paper_row(replace(patches_of_8, table=2))


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_method_is_a_recipe(name: str) -> None:
    subject = SUBJECTS[name]
    recipes = {method: subject.recipe(method, "random") for method in METHODS}
    assert [recipe.merge.method for recipe in recipes.values()] == [*METHODS]
    for recipe in recipes.values():
        assert recipe.backend.dtype == subject.dtype
        assert recipe.model.image_size == (subject.task.window,) * 2
    large = subject.model == "seg_l16_mask"
    assert recipes["algm"].merge.blocks == ((0, 6) if large else (0, 4))


def test_tome_has_the_papers_share_of_the_flops() -> None:
    subject = SUBJECTS["seg_b16_mask-512-float32"]
    ratio = subject.recipe("tome", "random").merge.member.ratio
    assert ratio is not None
    steps = (ratio - 0.01, ratio, ratio + 0.01)
    shares = tome_shares("seg_b16_mask", 512, 150, steps)
    off = [abs(shares[step] - 201 / 258) for step in steps]
    assert off[1] == min(off) and off[1] < 0.01


def test_choices_are_combined() -> None:
    assert [s.name for s in choose(tables=[5])] == [
        "seg_b16_mask-512-bfloat16",
        "seg_l16_mask-512-bfloat16",
    ]
    assert choose(tables=[3], precisions=["bfloat16"]) == ()
    assert len(choose()) == len(SUBJECTS) == 17
