"""Count for Prometheus what a server does; ``/metrics`` gives it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from prometheus_client import Counter, Gauge, Histogram, Summary

from mpm_deploy.run.results import Result
from mpm_deploy.serve.refusals import Status, status_of

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

REQUESTS = Counter("mpm_requests", "Requests by outcome.", ("model", "protocol", "outcome"))
STAGES = Histogram(
    "mpm_stage_seconds",
    "Time that an image took, stage by stage; copy, scores and labels are of its whole batch.",
    ("model", "stage"),
    buckets=_SECONDS,
)
TOKENS_KEPT = Summary("mpm_tokens_kept", "Tokens of an image after a merge.", ("model", "merge"))
WAITING = Gauge("mpm_images_waiting", "Decoded images that wait for the model.", ("model",))
IN_HAND = Gauge("mpm_images_in_hand", "Images in the server, waiting or being worked on.")


@contextmanager
def counted(model: str, protocol: str) -> Iterator[None]:
    """Count a request, by what becomes of it."""
    outcome = Status.ANSWERED
    try:
        yield
    except BaseException as error:
        outcome = status_of(error)
        raise
    finally:
        REQUESTS.labels(model, protocol, outcome.name.lower()).inc()


def observe(model: str, result: Result, waited: float) -> None:
    """Note what an image took.

    Args:
        model: The model's name.
        result: What came of the image.
        waited: Seconds from when it was decoded to its label map, with those of the work.
    """
    stages = asdict(result.stages_ms)
    worked = stages["copy"] + stages["scores"] + stages["labels"]
    stages["queue"] = max(0.0, waited * 1e3 - worked)
    for stage, milliseconds in stages.items():
        STAGES.labels(model, stage).observe(milliseconds / 1e3)
    for merge, tokens in enumerate(result.tokens_kept, start=1):
        TOKENS_KEPT.labels(model, merge).observe(tokens)
