import numpy as np
import pytest

from mpm_deploy.measure.accuracy.loss import (
    ZONES,
    ZoneLoss,
    lost_pixels,
    summed,
    zone_losses,
    zones_of,
)


def street() -> np.ndarray:
    """Half class 0 and half class 1, with a small square of class 2 and a corner not counted."""
    truth = np.zeros((200, 200), np.uint8)  # a tolerance of 2 pixels
    truth[:, 100:] = 1
    truth[50:60, 50:60] = 2
    truth[190:, 190:] = 255
    return truth


def test_zones() -> None:
    zones = zones_of(street())
    assert (zones[50:60, 50:60] == 0).all()
    assert np.count_nonzero(zones == 0) == 100
    assert zones[120, 96:104].tolist() == [2, 1, 1, 1, 1, 1, 1, 2]
    assert zones[55, 45:50].tolist() == [2, 2, 1, 1, 1]
    assert (zones[190:, 190:] == -1).all() and np.count_nonzero(zones == -1) == 100


@pytest.mark.parametrize(("side", "zone"), [(31, 0), (32, 2)])
def test_what_a_small_object_is(side: int, zone: int) -> None:
    truth = np.zeros((200, 200), np.uint8)
    truth[20 : 20 + side, 20 : 20 + side] = 1
    assert zones_of(truth)[20 + side // 2, 20 + side // 2] == zone


def test_pixels_are_counted_by_zone() -> None:
    truth = street()
    ours, theirs = truth.copy(), truth.copy()
    ours[50:60, 50:55] = 0  # half of the small object lost
    ours[100:110, 99] = 1  # ten pixels at the boundary
    theirs[0:5, 0:5] = 1  # won, far from anything
    ours[150, 20] = theirs[150, 20] = 1  # both wrong
    ours[195, 195] = theirs[195, 195] = 0  # does not count
    zones = zones_of(truth)
    lost, won = lost_pixels(truth, ours, theirs), lost_pixels(truth, theirs, ours)
    losses = zone_losses(zones, lost, won)
    assert [loss.name for loss in losses] == list(ZONES)
    assert [(loss.lost, loss.won) for loss in losses] == [(50, 0), (10, 0), (0, 25)]
    assert sum(loss.pixels for loss in losses) == np.count_nonzero(truth != 255)
    twice = summed([losses, losses])
    assert twice[0] == ZoneLoss("small objects", 200, 100, 0)
    assert summed([]) == ()
