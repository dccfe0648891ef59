"""Chooses among several routes into one engine: all are tried, and the fastest right
one is taken.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mpm_deploy.errors import MpmError

Call = Callable[[], Tensor]  # of one image, which it holds

_TURNS = 5
_SLACK = 0.02  # routes whose share of equal labels is that close to the best one's are as right


@dataclass(frozen=True)
class Trial:
    """The result of trying one route: the fastest of a few turns, the share of labels equal to the
    eager float32 model's, or why it cannot be taken.
    """

    route: str
    ms: float | None = None
    agreement: float | None = None
    failure: str | None = None


def try_routes(routes: Mapping[str, Callable[[], Call]], expected: Tensor) -> list[Trial]:
    """Open each route, compare its labels, and time in turns those that work."""
    calls: dict[str, Call] = {}
    trials: dict[str, Trial] = {}
    for route, open_ in routes.items():
        try:
            call = open_()
            with torch.inference_mode():
                agreement = float((as_labels(call()) == expected).double().mean())
            calls[route], trials[route] = call, Trial(route, agreement=agreement)
        except Exception as error:  # noqa: BLE001 - whatever a converter raises is what we report
            trials[route] = Trial(route, failure=innermost(error))
    rounds = range(_TURNS if len(calls) > 1 else 1)  # one has nothing to be held against
    turns = [{route: _time(call) for route, call in calls.items()} for _ in rounds]
    return [
        replace(trial, ms=min(turn[route] for turn in turns)) if route in calls else trial
        for route, trial in trials.items()
    ]


def best(trials: Sequence[Trial]) -> Trial:
    """Return the fastest of the trials that agree about as well as the best.

    Raises:
        MpmError: None works.
    """
    working = [trial for trial in trials if trial.failure is None]
    if not working:
        reasons = [": ".join(filter(None, (trial.route, trial.failure))) for trial in trials]
        raise MpmError("; ".join(reasons))
    most = max(trial.agreement or 0.0 for trial in working)
    right = [trial for trial in working if (trial.agreement or 0.0) >= most - _SLACK]
    return min(right, key=lambda trial: trial.ms or 0.0)


def as_labels(output: Tensor) -> Tensor:
    """Turn scores ``(1, K, h, w)`` into the best class ``(1, h, w)``; labels stay as they are."""
    return output.argmax(dim=1) if output.dim() == 4 else output


def innermost(error: BaseException, length: int = 240) -> str:
    """Describe the error at the root of a chain of causes, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= length else text[:length] + '…'}"


@torch.inference_mode()
def _time(call: Call) -> float:
    """Return the milliseconds of the second of two calls, so that the route before does
    not disturb it.
    """
    call()
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1e3
