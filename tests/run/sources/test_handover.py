"""What one thread reads and another one uses."""

import threading
import time

import pytest

from mpm_deploy.run.sources.handover import Handover


def test_everything_comes_in_order() -> None:
    handover: Handover[int] = Handover(newest=False)

    def give() -> None:
        assert all(handover.give(number) for number in range(50))
        handover.end()

    giver = threading.Thread(target=give)
    giver.start()
    assert list(handover) == [*range(50)]
    giver.join()
    assert handover.dropped == 0


def test_the_newest_takes_the_place_of_what_nobody_took() -> None:
    handover: Handover[int] = Handover(newest=True)
    for number in range(5):
        assert handover.give(number)
    handover.end()
    assert list(handover) == [4]
    assert handover.dropped == 4


def test_an_error_comes_behind_what_was_given() -> None:
    handover: Handover[int] = Handover(newest=True)
    handover.give(1)
    handover.end(ValueError("broke"))
    taken = iter(handover)
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broke"):
        next(taken)


def test_who_gives_is_told_that_nobody_takes_any_more() -> None:
    handover: Handover[int] = Handover(newest=False)
    handover.give(1)
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(handover.give(2)))
    giver.start()
    time.sleep(0.05)
    handover.end()
    giver.join(5)
    assert answers == [False]
