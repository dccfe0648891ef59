"""Writes what other engines reached: the fastest into the README, and all on a page."""

from collections.abc import Callable, Set
from pathlib import Path

from benchmarks.bench.tables import as_text, indented, verdicts_table
from benchmarks.pages.common import PAGES, Record, commits, read, records, written
from benchmarks.peers.models import MODELS
from benchmarks.peers.results import ModelResult, headline
from benchmarks.peers.tables import engines_table, notes, title
from mpm_deploy.support.schema import read_structure

PAGE = PAGES / "cpu_peers.md"
INTRODUCTION = """
The same weights and images in other engines, each in a process of its own, in turns
(`python -m benchmarks.cpu_peers`). Peers interpolate and take the argmax in their own graph.
"Model FPS" and "end-to-end FPS" are of one image at a time on all cores, "side by side" is end to
end with an image on each core at once. "× plain" is end to end over PyTorch eager full-token in
float32, each by the faster of its two ways; the table is in that order. "Labels equal" is to its
labels, and after the slash to those of PyTorch eager merged.
"""
MORE = (
    "All engines, larger models, and the targets: "
    "[docs/results/cpu_peers.md](docs/results/cpu_peers.md).\n"
)


def pages() -> dict[Path, str]:
    """Return the page with every machine's tables of all engines."""
    machines = _machines(_every_engine)
    return {PAGE: "".join(["# Other engines on a CPU\n", *machines])} if machines else {}


def readme() -> str:
    """Write every machine's fastest engines with the demo model; nothing before there
    is a record.
    """
    machines = _machines(_fastest, {"demo"})
    return "".join([*machines, MORE, "\n"]) if machines else ""


def _machines(
    of_one: Callable[[ModelResult], str], wanted: Set[str] = frozenset(MODELS)
) -> list[str]:
    """Write the introduction, and a part for each machine that has timed some of these models."""
    parts = []
    for record in map(read, records("cpu_peers-*")):
        models = [model for model in record["models"] if model["subject"] in wanted]
        if models:
            parts.append(_of_machine({**record, "models": models}, of_one))
    return [INTRODUCTION, *parts] if parts else []


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
