"""The page's first line: what the figures bear out, and no more."""

from dataclasses import replace

import pytest

from mpm_deploy.artifact import CreatedBy
from mpm_deploy.measure.accuracy.evaluate import DatasetInfo, Evaluation
from mpm_deploy.measure.speed.report import ArtifactInfo, Comparison, Report
from mpm_deploy.show.page.accuracy import accuracy_sections
from mpm_deploy.show.page.artifacts import Naming
from mpm_deploy.show.page.finding import finding
from mpm_deploy.show.page.speed import speed_sections
from tests.measure.speed.test_report import FULL, HOST, MEASURED, MERGED, ratio

OWN = replace(FULL, payload_sha256="1" * 64)  # of the full-token model


def report(*end_to_end: tuple[float, float, float]) -> Report:
    ratios = tuple(ratio(2**index, *each) for index, each in enumerate(end_to_end))
    return Report("mpm-report/2", MERGED, HOST, (MEASURED,), (), (), Comparison(OWN, ratios, ""))


def evaluation(
    of: ArtifactInfo,
    mean_iou: float,
    images: int = 8,
    dataset: str = "scenes",
    root: str = "data",
) -> Evaluation:
    created_by, data = CreatedBy("0", "2.15", "2026"), DatasetInfo(dataset, root, 8, 3)
    shares = (mean_iou, None, None, None)
    return Evaluation("", created_by, of, data, images, None, *shares, (), (), ())


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ([(1.48, 1.43, 1.53)], "Merging makes this model 1.5 times as fast here (1.43 to 1.53)."),
        (
            [(1.31, 1.3, 1.4), (1.5, 1.4, 1.6)],
            "Merging makes this model 1.3 to 1.5 times as fast here (1.30 to 1.60).",
        ),
        ([(1.03, 1.01, 1.05)], "Merging makes this model 1.03 times as fast here (1.01 to 1.05)."),
        (
            [(0.81, 0.7, 0.9)],
            "Merging makes this model slower here, 0.8 times as fast (0.70 to 0.90).",
        ),
        (
            [(1.2, 1.0, 1.3), (0.99, 0.9, 1.1)],
            "Merging makes no difference to the speed of this model here that can be told: "
            "0.90 to 1.30 times as fast.",
        ),
        (
            [(1.5, 1.4, 1.6), (1.1, 0.9, 1.2)],
            "Whether merging pays depends here: 0.90 to 1.60 times as fast.",
        ),
        (
            [(1.5, 1.4, 1.6), (0.8, 0.7, 0.9)],
            "Whether merging pays depends here: 0.70 to 1.60 times as fast.",
        ),
    ],
)
def test_speed_is_claimed_only_where_all_turns_bear_it_out(
    ratios: list[tuple[float, float, float]], sentence: str
) -> None:
    assert finding([report(*ratios)], []) == sentence
    assert finding([report(each) for each in ratios], []) == sentence  # as of two programs


@pytest.mark.parametrize(
    ("merged", "full", "ends"),
    [
        (0.6829, 0.6848, ", and it costs 0.2 points of mIoU."),
        (0.6847, 0.6848, ", and it costs 0.01 points of mIoU."),
        (0.6848, 0.6848, ", and it costs no mIoU."),
        (0.6900, 0.6848, ", and it gains 0.5 points of mIoU."),
    ],
)
def test_what_it_costs_is_said(merged: float, full: float, ends: str) -> None:
    both = [evaluation(OWN, full), evaluation(MERGED, merged)]
    assert finding([report((1.5, 1.4, 1.6))], both).endswith(f"(1.40 to 1.60){ends}")
    assert finding([report((0.8, 0.7, 0.9))], both).endswith(f"(0.70 to 0.90){ends}")


def test_accuracy_is_of_the_same_files_and_images() -> None:
    stranger = replace(MERGED, payload_sha256="2" * 64)
    for both in (
        [evaluation(OWN, 0.7)],
        [evaluation(OWN, 0.7), evaluation(stranger, 0.6)],
        [evaluation(OWN, 0.7), evaluation(MERGED, 0.6, images=4)],
        [evaluation(OWN, 0.7), evaluation(MERGED, 0.6, dataset="streets")],
    ):
        assert "mIoU" not in finding([report((1.5, 1.4, 1.6))], both)


def test_each_data_set_is_named_where_there_are_two() -> None:
    both = [
        evaluation(of, mean_iou, dataset=name)
        for name, full, merged in (("day", 0.7, 0.69), ("night", 0.6, 0.58))
        for of, mean_iou in ((OWN, full), (MERGED, merged))
    ]
    costs = "it costs 1.0 points of mIoU on day and costs 2.0 points of mIoU on night."
    assert finding([report((1.5, 1.4, 1.6))], both).endswith(costs)


def test_folders_of_ones_own_are_told_apart_by_their_place() -> None:
    both = [
        evaluation(of, mean_iou, dataset="folder", root=root)
        for root, full, merged in (("/day", 0.7, 0.69), ("/night", 0.6, 0.58))
        for of, mean_iou in ((OWN, full), (MERGED, merged))
    ]
    costs = "1.0 points of mIoU on folder /day and costs 2.0 points of mIoU on folder /night."
    assert finding([report((1.5, 1.4, 1.6))], both).endswith(costs)
    one_each = [both[0], both[3]]
    sections = accuracy_sections(one_each, [], Naming([OWN, MERGED]))
    assert [section.dataset for section in sections] == ["folder /day", "folder /night"]
    assert not any(section.has_change for section in sections)


def test_one_turn_has_no_spread_to_tell() -> None:
    compared = report((1.5, 1.5, 1.5), (1.4, 1.4, 1.4))
    assert compared.comparison is not None
    once = tuple(replace(each, repeats=1) for each in compared.comparison.results)
    compared = replace(compared, comparison=replace(compared.comparison, results=once))
    expected = "Measured in one turn each, which decides nothing: 1.40 to 1.50 times as fast."
    assert finding([compared], []) == expected


def test_the_bars_of_one_turn_tell_no_spread() -> None:
    pytest.importorskip("altair")
    for turns, told in [((1.25, 1.25, 1.25), False), ((1.25, 1.2, 1.3), True)]:
        compared = report(turns)
        (section,) = speed_sections([compared], Naming([MERGED, OWN]), {})
        (chart,) = [each for each in section.charts if each.title == "Speed beside FLOPs"]
        assert "end to end: × 1.25" in chart.svg
        assert ("end to end: × 1.25 (1.20 to 1.30)" in chart.svg) == told
        assert "(1.25 to 1.25)" not in chart.svg


def test_a_path_with_braces_is_a_path() -> None:
    tome = replace(OWN, path="m{1}.pt", merge=replace(OWN.merge, method="tome", blocks=(2,)))
    compared = report((1.25, 1.2, 1.3))
    assert compared.comparison is not None
    compared = replace(compared, comparison=replace(compared.comparison, against=tome))
    assert "times as fast as m{1}.pt here" in finding([compared], [])


def test_two_of_a_kind_are_named() -> None:
    tome = replace(OWN, path="tome.pt", merge=replace(OWN.merge, method="tome", blocks=(2,)))
    compared = report((1.25, 1.2, 1.3))
    assert compared.comparison is not None
    compared = replace(compared, comparison=replace(compared.comparison, against=tome))
    assert finding([compared], []) == (
        "merged.pt: 1.2 times as fast as tome.pt here (1.20 to 1.30)."
    )


def test_without_a_comparison_the_speed_is_said() -> None:
    alone = replace(report((1.5, 1.4, 1.6)), comparison=None)
    assert finding([alone], []) == "This model labels 10.0 images a second here."
    assert finding([], []) == "What was measured here"
