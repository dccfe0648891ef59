"""Picks what is worth a build, by a first look at every way of merging.

agreement │   ┊   ┊ ● ┊    ●: built
          │   ┊ ● ┊ ○ ┊    ○: another in its step of FLOPs agrees more
          │ ● ┊   ┊ × ┊    ×: another has fewer FLOPs, and surely agrees more
          └────────────
              FLOPs
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from mpm_deploy.measure.search.sweep import Sight

_SURE = 2.0  # standard errors


def shortlist(sights: Sequence[Sight], steps: int) -> list[Sight]:
    """Say of every way of merging why it is not worth a build, if it is not.

    Skipped is what another surely beats: one that needs fewer FLOPs, and agrees more by over twice
    the standard error of that difference, which is taken image by image. The FLOPs of all others,
    from the least to the most, are cut into steps, each as many times as large as the one before;
    in a step all are skipped but the one that agrees most.

    Args:
        sights: First sights of the same images.
        steps: How many there are, and so how many may be left.

    Returns:
        The same sights, each with its reason in ``skipped``.
    """
    reasons: dict[str, str] = {}
    for sight in sights:
        winner = max((s for s in sights if _beats(s, sight)), key=_agreement, default=None)
        if winner is not None:
            gain = 100 * (winner.agreement - sight.agreement)
            reasons[sight.name] = f"{winner.name} has fewer FLOPs, and agrees by {gain:.2f} more"
    for step in _steps([sight for sight in sights if sight.name not in reasons], steps):
        best = max(step, key=_agreement)
        others = (sight.name for sight in step if sight is not best)
        reasons |= dict.fromkeys(others, f"{best.name} agrees more, in the same step of FLOPs")
    return [replace(sight, skipped=reasons.get(sight.name)) for sight in sights]


def _beats(one: Sight, other: Sight) -> bool:
    """Tell whether one has fewer FLOPs and surely agrees more; of one image nothing is sure."""
    if one.gflops >= other.gflops or len(one.agreements) < 2:
        return False
    gains = [own - its for own, its in zip(one.agreements, other.agreements, strict=True)]
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    return statistics.fmean(gains) > _SURE * error


def _steps(sights: Sequence[Sight], count: int) -> list[list[Sight]]:
    """Part ways of merging by their FLOPs; of steps without any nothing is returned."""
    least = min((sight.gflops for sight in sights), default=1.0)
    most = max((sight.gflops for sight in sights), default=1.0)
    width = math.log(most / least) / count or 1.0
    steps: list[list[Sight]] = [[] for _ in range(count)]
    for sight in sights:
        step = int(math.log(sight.gflops / least) / width)
        steps[min(step, count - 1)].append(sight)
    return [step for step in steps if step]


def _agreement(sight: Sight) -> tuple[float, float]:
    """Return what a better one has more of: agreement, and where it is equal fewer FLOPs."""
    return sight.agreement, -sight.gflops
