"""What is said of a bench besides its figures."""

from dataclasses import replace

import pytest

from mpm_deploy.measure.speed.report import SCHEMA, Comparison, Ratio, Report, Spread
from mpm_deploy.show.tables import contention_sentence
from mpm_deploy.support.contention import Contention
from tests.measure.speed.test_report import FULL, HOST, MEASURED, MERGED

BEGIN = "The machine was contended, and speeds are lower for it: "


def report(*told: Contention | None) -> Report:
    results = tuple(replace(MEASURED, contention=contention) for contention in told)
    return Report(SCHEMA, MERGED, HOST, results, (), (), None)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ([], None),
        ([None], None),
        ([Contention(0.1, 300, 0)], None),  # by its own threads
        ([Contention(1.5, 10, 0.5)], None),  # others, on cores to spare
        (
            [Contention(0.1, 10, 0), Contention(0.97, 240, 0)],
            f"{BEGIN}other processes kept 1.0 of its cores busy.",
        ),
        ([Contention(0, 90, 5.6)], f"{BEGIN}a CPU quota stopped it 6 times a second."),
        (
            [Contention(1, 90, 5.6)],
            f"{BEGIN}other processes kept 1.0 of its cores busy; "
            "a CPU quota stopped it 6 times a second.",
        ),
    ],
)
def test_contention(told: list[Contention | None], sentence: str | None) -> None:
    assert contention_sentence(report(*told)) == sentence


def test_contention_of_the_other_artifact() -> None:
    spread = Spread(1.5, 1.4, 1.6)
    other = replace(MEASURED, contention=Contention(1, 240, 0))
    compared = Comparison(FULL, (Ratio(2, 3, spread, spread, 1.6, other),), "It pays.")
    sentence = contention_sentence(replace(report(None), comparison=compared))
    assert sentence == f"{BEGIN}other processes kept 1.0 of its cores busy."
