"""The benchmark of a server: what it sends and what it says, from answers that are made up."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import serving
from benchmarks.bench.tables import rows_table
from benchmarks.serving import Ports, Send, ask, overload, row_of, verdicts

NOWHERE = Ports(0, 0)


@contextmanager
def sender(_: Ports) -> Iterator[Send]:
    """A server that has no room for every other image."""
    yield lambda file: 429 if file == b"odd" else 200


def test_every_request_is_sent_once_and_at_no_higher_rate() -> None:
    sent = serving.time.perf_counter()
    answers = ask(sender, NOWHERE, [b"even", b"odd"], requests=40, clients=4, rate=400)
    assert sorted(answer.status for answer in answers) == [200] * 20 + [429] * 20
    assert serving.time.perf_counter() - sent >= 39 / 400


def test_overload_times_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "rest_sender", sender)
    row = overload(NOWHERE, [b"even", b"odd"], rate=1000, seconds=0.1)
    assert (row["requests"], row["answered"], row["refused"], row["others"]) == (100, 50, 50, 0)
    assert 0 <= row["refused_ms_median"] <= row["refused_ms_most"]
    assert rows_table([row]).row_count == 1


def test_shares_are_taken_turn_by_turn() -> None:
    row = row_of("rest", 8, [9.0, 20.0, 6.0], best=[10.0, 20.0, 8.0])
    assert (row["fps"], row["share"], row["share_min"], row["share_max"]) == (9, 0.9, 0.75, 1)


def test_verdicts_are_of_each_protocol_and_of_what_was_refused() -> None:
    rows = [row_of("bench", 0, [10.0], [10.0]), row_of("rest", 8, [9.5], [10.0])]
    steady = {"failed": 1, "growth": 0.005}
    record = {"speed": rows, "steady": steady, "overload": {"refused_ms_most": 101.0}}
    assert [(verdict.reached.median, verdict.met) for verdict in verdicts(record)] == [
        (0.95, True),
        (1, False),
        (1.005, True),
        (101.0, False),
    ]
