"""Defines what a target is: a figure that was wanted, and what was reached."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpm_deploy.measure.speed.report import Spread

OF_THE_FLOPS = 0.95  # of what full-token's FLOPs over merged ones' would give, the model alone
CPP_OVER_PYTHON = 0.99  # end to end, with one artifact


@dataclass(frozen=True)
class Verdict:
    """A target, and whether it was met.

    Attributes:
        target: The target in words.
        wanted: The least that meets it, or the most.
        reached: The spread of what was reached over the rounds.
        met: Whether the median meets it.
        at_most: Whether less is better.
    """

    target: str
    wanted: float
    reached: Spread
    met: bool
    at_most: bool = False


def judge(
    target: str, wanted: float, reached: Spread | Sequence[float], at_most: bool = False
) -> Verdict:
    """Judge what was reached, one value for each round, by its median."""
    spread = reached if isinstance(reached, Spread) else Spread.of(reached)
    met = spread.median <= wanted if at_most else spread.median >= wanted
    return Verdict(target, wanted, spread, met, at_most)
