"""Say what was seen in each image or frame, as the JSON lines of `docs/formats/video.md`.

a head ─▶ a line an image or frame ─▶ an end, which a killed process does not write
"""

from pathlib import Path
from typing import Any

from mpm_deploy.run.results import Result, class_shares, name_of
from mpm_deploy.run.sources import Source

SCHEMA = "mpm-frames/1"

Line = dict[str, Any]


def head_line(artifact: Path, source: Source, classes: tuple[str, ...]) -> Line:
    """Say what the lines are of, and which class each share belongs to."""
    return {
        "schema": SCHEMA,
        "artifact": artifact.name,
        "source": source.name,
        "live": source.live,
        "classes": list(classes),
    }


def result_line(index: int, result: Result, classes: int) -> Line:
    """Say when an image or frame is, which share of it each class has, and what was merged."""
    return {
        "index": index,
        "name": name_of(result.source),
        "time": result.time,
        "shares": class_shares(result, classes),
        "tokens_kept": list(result.tokens_kept),
    }


def skipped_line(index: int, name: str, reason: str) -> Line:
    """Say why there is nothing of an image or frame."""
    return {"index": index, "name": name, "skipped": reason}


def end_line(written: int, skipped: int, source: Source) -> Line:
    """Say how much there was, and what was lost."""
    return {"images": written, "skipped": skipped, **vars(source.losses)}
