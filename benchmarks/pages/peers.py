"""Writes what other engines reached: the fastest into the README, and all on a page."""

from collections.abc import Callable, Set
from pathlib import Path

from benchmarks.bench.tables import as_text, indented, verdicts_table
from benchmarks.pages.common import PAGES, Record, commits, read, records, written
from benchmarks.peers.models import MODELS
from benchmarks.peers.results import POINTS_LOST, ModelResult, headline
from benchmarks.peers.tables import engines_table, notes, title
from mpm_deploy.support.schema import read_structure

PAGE = PAGES / "cpu_peers.md"
INTRODUCTION = """
The same weights and images in other engines, each in a process of its own, in turns
(`python -m benchmarks.cpu_peers`). Peers interpolate and take the argmax in their own graph.
"Model FPS" and "end-to-end FPS" are of one image at a time on all cores, "side by side" is end to
end with an image on each core at once. "× plain" is end to end over PyTorch eager full-token in
float32, each by the faster of its two ways; the table is in that order. "Labels equal" is to its
labels, and after the slash to those of PyTorch eager merged by the same schedule.

"Merged" is by the recipes' own schedule, or by the one that follows. Eight bits are calibrated on
every third scene, mIoU is over the others. Of ours targets take the fastest that loses at most
{points:.1f} point of mIoU to PyTorch eager full-token in float32.
"""
IN_SHORT = """\
The same weights and images in other engines, in turns (`python -m benchmarks.cpu_peers`): one
image at a time on all cores, or side by side with one on each. "× plain" is from files to label
maps over PyTorch eager full-token in float32, each by its faster way; ours loses {points:.1f} point
of mIoU to it at most. "Labels equal" is to its labels, and after the slash to those of it merged.
"""
MORE = (
    "All engines, larger models, and the targets: "
    "[docs/results/cpu_peers.md](docs/results/cpu_peers.md).\n"
)


def pages() -> dict[Path, str]:
    """Return the page with every machine's tables of all engines."""
    machines = [_of_machine(record, _every_engine) for record in _found()]
    head = ["# Other engines on a CPU\n", INTRODUCTION.format(points=POINTS_LOST)]
    return {PAGE: "".join([*head, *machines])} if machines else {}


def readme() -> str:
    """Write the fastest engines with the demo model, of the machine that was the last to time it;
    nothing before there is a record.
    """
    timed = max(_found({"demo"}), key=lambda record: record["date"], default=None)
    if timed is None:
        return ""
    return "".join([IN_SHORT.format(points=POINTS_LOST), _of_machine(timed, _fastest), MORE, "\n"])


def _found(wanted: Set[str] = frozenset(MODELS)) -> list[Record]:
    """Return every machine's record that has some of these models, with these alone."""
    narrowed = [
        {**record, "models": [each for each in record["models"] if each["subject"] in wanted]}
        for record in map(read, records("cpu_peers-*"))
    ]
    return [record for record in narrowed if record["models"]]


def _of_machine(record: Record, of_one: Callable[[ModelResult], str]) -> str:
    results = [read_structure(ModelResult, result) for result in record["models"]]
    host, packages = record["machine"], record["packages"]
    where = written(
        *(f"{host['cpu']}, {host['cores']} cores",),
        *(f"{name} {version}" for name, version in packages.items()),
        commits(result.commit for result in results),
    )
    return "\n" + "\n".join([*map(of_one, results), where]) + "\n"


def _fastest(result: ModelResult) -> str:
    return f"{title(result)}:\n\n{indented(as_text(engines_table(headline(result))))}"


def _every_engine(result: ModelResult) -> str:
    """Write one model's engines, those that cannot run it, and the targets."""
    tables = [as_text(engines_table(result)), as_text(verdicts_table(result.verdicts))]
    said = [f"- {note}" for note in notes(result)]
    return "\n".join([f"{title(result)}:\n", indented("\n".join(tables)), *said]) + "\n"
